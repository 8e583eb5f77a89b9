"""The whole trial in a browser, against the running site and its worker."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.e2e.conftest import PHONE
from tests.e2e.journey import Journey

pytestmark = pytest.mark.e2e
COLD = "You should just get some sleep."


def somebody(browser: Browser, site: str, *, panel: bool) -> Journey:
    """A participant at their first post, in the arm that shows (or lacks) the panel; with it, a post that has
    suggestions: of some none was approved."""
    for _ in range(24):
        journey = Journey(browser.new_context(**PHONE), site, "person")
        journey.reach_writing()
        if journey.has_panel == panel and not (panel and journey.post_is_silent):
            return journey
        assert journey.problems == []  # a page is examined once, perhaps by somebody we do not need
    raise AssertionError("twenty-four people were allocated to the same arm")


def ask(journey: Journey) -> None:
    """Tap for help and wait for the worker's suggestions."""
    journey.page.locator("#help button").first.click()
    expect(journey.page.locator("#help .pill").first).to_be_visible(timeout=60_000)


def test_the_feedback_arm_from_door_to_debrief_with_a_suggestion_inserted(browser: Browser, site: str) -> None:
    journey = somebody(browser, site, panel=True)
    page = journey.page
    expect(page.get_by_text("Would you like some help with your response?")).to_be_visible()
    journey.look("writing-idle")
    page.locator("#id_text").fill(COLD)
    ask(journey)
    journey.look("writing-feedback")
    suggestion = page.locator("#help ins").first.inner_text().replace("insert", "").replace("with", "").strip()
    page.locator("#help .pill").first.click()
    expect(page.locator("#id_text")).to_have_value(re.compile(re.escape(suggestion.split()[-1])), timeout=15_000)
    journey.look("writing-accepted")
    page.locator("#flag summary").click()
    journey.look("writing-flag")
    journey.click("Next")
    expect(page.get_by_text("Post 2 of 10")).to_be_visible()
    for _ in range(9):
        page.locator("#id_text").fill("That sounds exhausting, and I am sorry. What has this week been like?")
        journey.click("Next")
    journey.finish()
    assert journey.problems == []


def test_the_control_arm_from_door_to_debrief_sees_neither_panel_nor_flag(browser: Browser, site: str) -> None:
    journey = somebody(browser, site, panel=False)
    journey.look("writing-control")
    assert journey.page.locator("#help, #flag").count() == 0
    journey.write(lambda number: f"I am sorry you are going through this ({number}).")
    journey.finish()
    assert journey.problems == []


def test_an_empathic_reply_gets_praise_and_then_silence_until_it_changes(browser: Browser, site: str) -> None:
    journey = somebody(browser, site, panel=True)
    page = journey.page
    page.locator("#id_text").fill(
        "I'm so sorry, I feel really sad for you. That must feel like losing a part of yourself. "
        "How are you feeling about it now?"
    )
    page.locator("#help button").first.click()
    expect(page.get_by_text("Looks awesome! Keep up the good work")).to_be_visible(timeout=60_000)
    journey.look("writing-awesome")
    page.locator("#id_text").press_sequentially(" Take care.")
    expect(page.get_by_text("Need more help?")).to_be_visible()
    assert journey.problems == []


def test_manual_edits_after_asking_survive_accepting(browser: Browser, site: str) -> None:
    journey = somebody(browser, site, panel=True)
    page = journey.page
    page.locator("#id_text").fill(COLD)
    ask(journey)
    page.locator("#id_text").press("End")
    page.locator("#id_text").press_sequentially(" My own words stay.")
    page.locator("#help .pill").first.click()
    expect(page.locator("#id_text")).not_to_have_value(f"{COLD} My own words stay.", timeout=15_000)
    expect(page.locator("#id_text")).to_have_value(re.compile("My own words stay\\."))
    page.reload()
    expect(page.locator("#id_text")).to_have_value(re.compile("My own words stay\\."))


def test_words_typed_just_before_a_reload_come_back(browser: Browser, site: str) -> None:
    journey = somebody(browser, site, panel=False)
    journey.page.locator("#id_text").press_sequentially("Written a moment ago")
    journey.page.reload()
    expect(journey.page.locator("#id_text")).to_have_value("Written a moment ago")
    expect(journey.page.locator("#save-state")).to_contain_text("Draft saved", timeout=10_000)
    journey.page.reload()
    expect(journey.page.locator("#id_text")).to_have_value("Written a moment ago")


def test_a_participant_resumes_on_another_device_with_the_draft(browser: Browser, site: str) -> None:
    journey = somebody(browser, site, panel=False)
    journey.page.locator("#id_text").fill("Half a thought")
    expect(journey.page.locator("#save-state")).to_contain_text("aved", timeout=10_000)
    second = Journey(browser.new_context(**PHONE), site, "device")
    second.email = journey.email
    second.page.goto(f"{site}/study/hailey/")
    second.page.get_by_role("link", name=re.compile("code by e-mail")).click()
    second.look("login-code")
    second.page.locator("[name=email]").fill(second.email)
    second.page.locator("main form button[type=submit]").first.click()
    second.enter_code()
    expect(second.page.locator("#id_text")).to_have_value("Half a thought")
    assert second.problems == []


def test_worrying_words_bring_help_at_once_and_block_nothing(browser: Browser, site: str) -> None:
    journey = somebody(browser, site, panel=False)
    journey.page.locator("#id_text").fill("Honestly I want to kill myself too.")
    expect(journey.page.locator("#support")).to_be_visible(timeout=10_000)
    journey.look("writing-support")
    journey.click("Next")
    expect(journey.page.get_by_text("Post 2 of 10")).to_be_visible()
    assert journey.problems == []


def test_the_way_works_without_javascript(browser: Browser, site: str) -> None:
    context = browser.new_context(**PHONE, java_script_enabled=False)
    for _ in range(24):
        journey = Journey(context if _ == 0 else browser.new_context(**PHONE, java_script_enabled=False), site, "plain")
        journey.look = lambda shot: None  # type: ignore[method-assign]  # axe needs scripts
        journey.reach_writing()
        if journey.has_panel and not journey.post_is_silent:
            break
    page = journey.page
    page.locator("#id_text").fill(COLD)
    page.locator("#help button").first.click()
    for _ in range(60):
        if page.locator("#help .pill").count():
            break
        page.wait_for_timeout(1000)
        page.locator("#help a, #help button").first.click()
    page.locator("#help .pill").first.click()
    assert len(page.locator("#id_text").input_value()) > len(COLD) - 10
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("Post 2 of 10")).to_be_visible()


def test_staff_pages_are_accessible_and_fit(browser: Browser, site: str) -> None:
    for role, path, shot in (
        ("investigator", "/staff/hailey/", "dashboard"),
        ("safety-officer", "/staff/hailey/safety/", "safety-events"),
        ("statistician", "/analysis/", "analysis"),
    ):
        journey = Journey(browser.new_context(**PHONE), site, role)
        journey.page.goto(f"{site}/accounts/login/")
        journey.page.get_by_text("sign in with a password").click()
        journey.page.locator("[name=login]").fill(f"{role}@demo.example")
        journey.page.locator("[name=password]").fill("attune-demo")
        journey.page.get_by_role("button", name="Sign in").click()
        expect(journey.page.get_by_role("heading", name="Study team")).to_be_visible()
        journey.page.goto(site + path)
        journey.look(shot)
        assert journey.problems == []


def test_error_pages_help_too(phone: BrowserContext, site: str) -> None:
    journey = Journey(phone, site, "lost")
    journey.page.goto(f"{site}/study/nowhere/")
    journey.look("not-found")
    assert [p for p in journey.problems if "404" not in p] == []
