"""The help box in a browser: real web and worker processes, a rewriter whose answers are known."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.conftest import PHONE, free_port
from tests.feedback.helpers import protocol_with
from tests.integration.processes import Stage

pytestmark = pytest.mark.e2e

DRAFT = "Don't worry! I'm there for you."
IDLE = "😊 Would you like some help with your response?"
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


class Site:
    """A running site, and new participants at their first post."""

    def __init__(self, stage: Stage, base: str) -> None:
        self.stage, self.base = stage, base

    def open(self, browser: Browser, intervention: str = "feedback", **options: object) -> Page:
        session = self.stage.act("newcomer", intervention)["session"]
        context: BrowserContext = browser.new_context(**{**PHONE, **options})  # type: ignore[arg-type]
        context.add_cookies([{"name": "sessionid", "value": session, "url": self.base}])
        page = context.new_page()
        page.goto(f"{self.base}/study/hailey/writing/")
        return page


@pytest.fixture(scope="module")
def helped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, port = tmp_path_factory.mktemp("helped"), free_port()
    stage = Stage(folder, "tests.integration.slow_worker")
    stage.act("prepare", str(protocol_with(folder / "hailey", rewriter="told", timeout_seconds=5)))
    stage.start_web(port)
    stage.start_worker()
    base = f"http://127.0.0.1:{port}"
    try:
        _wait(base)
        yield Site(stage, base)
    finally:
        stage.stop()


def _wait(base: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(base, timeout=5)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
        else:
            return
    raise AssertionError("the site did not start")


def problems_of(page: Page) -> list[str]:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    return problems


def tap(page: Page, name: str | re.Pattern[str]) -> None:
    page.get_by_role("button", name=name).first.click()


def saved(page: Page) -> None:
    expect(page.locator("#save-state")).to_have_text("Draft saved", timeout=8000)


def test_suggestions_are_asked_for_taken_and_asked_for_again(helped: Site, browser: Browser) -> None:
    page = helped.open(browser)
    problems = problems_of(page)
    box = page.locator("#id_text")
    box.fill(DRAFT)
    tap(page, IDLE)
    expect(page.locator(".help-panel")).to_be_visible(timeout=10_000)
    expect(page.locator(".help-hint")).to_contain_text("reloading feedback")
    assert not [v["id"] for v in Axe().run(page, options=WCAG).response["violations"]]
    box.press_sequentially(" Hug!")
    tap(page, re.compile("^Replace"))
    expect(box).to_have_value("That sounds exhausting. I'm there for you. Hug!")
    tap(page, re.compile("^Insert"))
    expect(page.locator("#help")).to_contain_text("Looks great 🙌 Tap here for more help 🧐")
    expect(box).to_have_value("That sounds exhausting. I'm there for you. What would help tonight? Hug!")
    expect(box).to_be_editable()
    tap(page, re.compile("^Looks great"))
    expect(page.locator(".help-panel")).to_contain_text("once more", timeout=10_000)
    page.reload()
    expect(box).to_have_value("That sounds exhausting. I'm there for you. What would help tonight? Hug!")
    assert problems == []


def test_praise_is_inert_until_the_text_changes(helped: Site, browser: Browser) -> None:
    page = helped.open(browser)
    page.locator("#id_text").fill("You are wonderful.")
    tap(page, IDLE)
    praise = page.get_by_text("Looks awesome! Keep up the good work 🙌")
    expect(praise).to_be_visible(timeout=10_000)
    expect(page.locator("#help button:visible")).to_have_count(0)
    page.locator("#id_text").press_sequentially(" Really")
    expect(praise).to_be_hidden()
    expect(page.get_by_role("button", name="Need more help? 🧐 Tap here ☝")).to_be_visible()
    for _ in range(len(" Really")):
        page.keyboard.press("Backspace")
    expect(praise).to_be_visible()


def test_a_failure_is_told_and_the_words_are_safe(helped: Site, browser: Browser) -> None:
    page = helped.open(browser)
    page.locator("#id_text").fill("crash this")
    tap(page, IDLE)
    expect(page.get_by_text("No feedback this time. Carry on writing - your words are safe.")).to_be_visible(
        timeout=10_000
    )
    page.locator("#id_text").fill(DRAFT)
    tap(page, "Try again")
    expect(page.locator(".help-panel")).to_be_visible(timeout=10_000)


def test_drafts_are_saved_while_typing_in_both_arms(helped: Site, browser: Browser) -> None:
    for intervention in ("feedback", "none"):
        page = helped.open(browser, intervention)
        page.locator("#id_text").press_sequentially("A draft 🫂 of mine")
        saved(page)
        page.reload()
        expect(page.locator("#id_text")).to_have_value("A draft 🫂 of mine")


def test_leaving_in_the_middle_of_a_word_keeps_it(helped: Site, browser: Browser) -> None:
    page = helped.open(browser)
    page.locator("#id_text").press_sequentially("Half a wor")
    page.goto(f"{helped.base}/study/hailey/withdraw/")
    page.goto(f"{helped.base}/study/hailey/writing/")
    expect(page.locator("#id_text")).to_have_value("Half a wor")


def test_a_second_window_is_told_that_it_is_behind(helped: Site, browser: Browser) -> None:
    page = helped.open(browser)
    other = page.context.new_page()
    other.goto(page.url)
    page.locator("#id_text").press_sequentially("First window")
    saved(page)
    other.locator("#id_text").press_sequentially("Second window")
    expect(other.locator("#save-state")).to_contain_text("another window", timeout=8000)
    expect(other.locator("#id_text")).to_have_value("Second window")
    page.reload()
    expect(page.locator("#id_text")).to_have_value("First window")


def test_offline_a_tap_says_so_and_a_spinner_ends(helped: Site, browser: Browser) -> None:
    page = helped.open(browser)
    box = page.locator("#id_text")
    box.fill(DRAFT)
    page.context.set_offline(True)
    tap(page, IDLE)
    expect(page.get_by_text("That did not get through.")).to_be_visible()
    page.context.set_offline(False)
    tap(page, IDLE)
    expect(page.get_by_text("loading...")).to_be_visible()
    page.context.set_offline(True)
    expect(page.get_by_text("No feedback this time.")).to_be_visible(timeout=15_000)
    expect(box).to_have_value(DRAFT)
    expect(box).to_be_editable()
    page.context.set_offline(False)
    tap(page, "Try again")
    expect(page.locator(".help-panel")).to_be_visible(timeout=10_000)


def test_an_expired_session_never_puts_a_login_page_into_the_box(helped: Site, browser: Browser) -> None:
    page = helped.open(browser)
    page.locator("#id_text").fill(DRAFT)
    page.context.clear_cookies(name="sessionid")
    tap(page, IDLE)
    expect(page.get_by_text("That did not get through.")).to_be_visible()
    expect(page.locator("#help input[type=email]")).to_have_count(0)
    expect(page.locator("#id_text")).to_have_value(DRAFT)


def test_feedback_can_be_flagged_with_the_keyboard(helped: Site, browser: Browser) -> None:
    page = helped.open(browser)
    page.locator("#id_text").fill(DRAFT)
    tap(page, IDLE)
    expect(page.locator(".help-panel")).to_be_visible(timeout=10_000)
    summary = page.locator("#flag summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Close")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(summary).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_label("I don't understand the feedback.").check()
    assert not [v["id"] for v in Axe().run(page, options=WCAG).response["violations"]]
    tap(page, "Flag feedback")
    expect(page.get_by_text("has been flagged")).to_be_visible()
    expect(page.locator("#id_text")).to_have_value(DRAFT)


def test_focus_follows_the_help_box_and_leaves_the_writer_alone(helped: Site, browser: Browser) -> None:
    page = helped.open(browser)
    page.locator("#id_text").fill(DRAFT)
    page.get_by_role("button", name=IDLE).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".running")).to_be_focused(timeout=10_000)
    tap(page, "Reload feedback")
    page.locator("#id_text").focus()
    expect(page.locator(".help-panel")).to_contain_text("once more", timeout=10_000)
    expect(page.locator("#id_text")).to_be_focused()


def test_everything_works_without_javascript(helped: Site, browser: Browser) -> None:
    page = helped.open(browser, java_script_enabled=False)
    page.locator("#id_text").fill(DRAFT)
    tap(page, IDLE)
    for _ in range(20):
        if page.locator(".help-panel").count():
            break
        time.sleep(0.5)
        tap(page, "Show the feedback")
    tap(page, re.compile("^Replace"))
    expect(page.locator("#id_text")).to_have_value("That sounds exhausting. I'm there for you.")
    page.locator("#flag summary").click()
    page.get_by_label("Feedback contains toxic/harmful content.").check()
    tap(page, "Flag feedback")
    expect(page.get_by_text("has been flagged")).to_be_visible()
    page.locator("#id_text").fill("You are wonderful.")
    tap(page, "Reload feedback")
    for _ in range(20):
        if page.get_by_text("Looks awesome!").count():
            break
        time.sleep(0.5)
        tap(page, "Show the feedback")
    tap(page, "Next")
    expect(page.get_by_role("heading", level=1)).to_contain_text("2")


def test_no_target_is_smaller_than_a_finger_and_nothing_is_too_wide(helped: Site, browser: Browser) -> None:
    page = helped.open(browser)
    page.locator("#id_text").fill(DRAFT)
    tap(page, IDLE)
    expect(page.locator(".help-panel")).to_be_visible(timeout=10_000)
    for button in page.locator("#writing button:visible, #writing summary").all():
        size = button.bounding_box()
        assert size is not None
        assert min(size["width"], size["height"]) >= 44, button.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
