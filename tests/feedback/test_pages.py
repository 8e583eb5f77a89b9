"""What the participant sees and taps, with and without JavaScript."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client, TestCase
from django.urls import reverse
from django.utils import timezone

from feedback.models import FeedbackRequest, Suggestion
from feedback.services import work
from ml.types import Proposal
from tests.conftest import client_of
from tests.feedback.helpers import (
    DRAFT,
    HTMX,
    SCORE,
    STRUGGLE,
    Scripted,
    accept_url,
    answered,
    ask_url,
    asked,
    form,
    insert,
    page,
    replace,
    state_of,
    suggesting,
)
from trial.models import Participant, Reply
from trial.services import replies

IDLE = "😊 Would you like some help with your response?"
FAILED = "No feedback this time. Carry on writing - your words are safe."


# --- The page of each arm -----------------------------------------------------------------------


def test_help_is_offered_before_any_typing(browser: Client, reply: Reply) -> None:
    html = page(browser)
    assert state_of(html) == "idle"
    assert IDLE in html
    assert ">Flag<" in html


def test_control_has_neither_panel_nor_flag(bob: Participant) -> None:
    html = page(client_of(bob))
    assert 'id="help"' not in html
    assert "Flag" not in html
    assert "/feedback/" not in html
    assert IDLE not in html


def test_the_two_arms_pages_differ_by_panel_and_flag_alone(alice: Participant, bob: Participant) -> None:
    with_help, without = page(client_of(alice)), page(client_of(bob))
    with_help = re.sub(r'<div id="help".*?</div>\s*</div>', "", with_help, flags=re.DOTALL)
    with_help = re.sub(r'<div id="flag".*?</details>\s*</div>', "", with_help, flags=re.DOTALL)
    for pattern in (r'(?:value|data-reply)="[^"]*"', r'<blockquote class="post">.*?</blockquote>'):
        with_help, without = (re.sub(pattern, "", html, flags=re.DOTALL) for html in (with_help, without))
    assert re.sub(r"\s+", "", with_help) == re.sub(r"\s+", "", without)


def test_the_page_keeps_the_content_security_policy(browser: Client, reply: Reply) -> None:
    answered(reply)
    html = page(browser)
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|<style|\son\w+=|hx-on|hx-vals", html)


# --- Asking -------------------------------------------------------------------------------------


def test_a_tap_saves_the_draft_and_shows_that_it_loads(browser: Client, reply: Reply) -> None:
    response = browser.post(ask_url(reply), form(reply), headers=HTMX)
    html = response.content.decode()
    assert (response.status_code, response["X-Fragment"]) == (200, "help")
    assert state_of(html) == "loading"
    assert "loading..." in html
    assert 'hx-trigger="load delay:300ms, again"' in html
    reply.refresh_from_db()
    assert reply.text == DRAFT


def test_a_tap_without_javascript_leads_back_to_the_writing_page(browser: Client, reply: Reply) -> None:
    response = browser.post(ask_url(reply), form(reply), follow=True)
    assert response.redirect_chain == [("/study/hailey/writing/", 302)]
    assert state_of(response.content.decode()) == "loading"
    assert DRAFT.replace("'", "&#x27;") in response.content.decode()


def test_without_javascript_the_answer_is_there_after_the_draft_was_saved_again(browser: Client, reply: Reply) -> None:
    asked(reply)
    work.work_queue()
    url = reverse("feedback:save", args=[reply.pk])
    response = browser.post(url, form(reply, f"{DRAFT} More."), follow=True)
    reply.refresh_from_db()
    assert reply.text == f"{DRAFT} More."
    assert state_of(response.content.decode()) == "suggestions"


def test_a_double_tap_on_the_same_page_is_one_request(browser: Client, reply: Reply) -> None:
    data = form(reply)
    assert [browser.post(ask_url(reply), data, headers=HTMX).status_code for _ in range(2)] == [200, 200]
    assert FeedbackRequest.objects.count() == 1


def test_line_ends_of_a_form_are_made_plain(browser: Client, reply: Reply) -> None:
    browser.post(ask_url(reply), form(reply, "One.\r\nTwo.\r"))
    assert FeedbackRequest.objects.get().text == "One.\nTwo.\n"


def test_too_long_a_text_is_told_and_nothing_is_lost(browser: Client, reply: Reply) -> None:
    text = "word " * 5000
    plain = browser.post(ask_url(reply), form(reply, text))
    smooth = browser.post(ask_url(reply), form(reply, text), headers=HTMX)
    for response in (plain, smooth):
        assert response.status_code == 400
        assert "Nothing was lost" in response.content.decode()
    assert text in plain.content.decode()
    assert not FeedbackRequest.objects.exists()


def test_a_window_that_is_behind_is_told_and_nothing_is_lost(browser: Client, reply: Reply) -> None:
    data = form(reply, "From this window.")
    replies.save_draft(reply=reply, text="From another window.", window="another")
    plain = browser.post(ask_url(reply), data)
    smooth = browser.post(ask_url(reply), data, headers=HTMX)
    assert (plain.status_code, smooth.status_code) == (409, 409)
    assert "From this window." in plain.content.decode()
    assert "changed in another window" in smooth.content.decode()
    reply.refresh_from_db()
    assert reply.text == "From another window."


# --- Waiting ------------------------------------------------------------------------------------


def look(client: Client, request: FeedbackRequest, n: int = 0) -> tuple[str, str]:
    response = client.get(reverse("feedback:look", args=[request.pk]), {"n": n}, headers=HTMX)
    assert response.status_code == 200
    return response.content.decode(), response.get("HX-Retarget", "")


def test_looks_come_ever_later_and_replace_nothing_but_themselves(browser: Client, reply: Reply) -> None:
    request = asked(reply)
    for n, delay in enumerate((300, 300, 300)):
        html, target = look(browser, request, n)
        assert f"delay:{delay}ms" in html
        assert f"n={n + 1}" in html
        assert "data-help" not in html
        assert not target


def test_the_answer_replaces_the_box_and_looking_ends(browser: Client, reply: Reply) -> None:
    request = asked(reply)
    work.work_queue()
    html, target = look(browser, request)
    assert target == "#help"
    assert state_of(html) == "suggestions"
    assert "data-look" not in html
    assert all(s.shown_at for s in Suggestion.objects.all())


def test_a_look_without_javascript_leads_to_the_writing_page(browser: Client, reply: Reply) -> None:
    response = browser.get(reverse("feedback:look", args=[asked(reply).pk]))
    assert (response.status_code, response["Location"]) == (302, "/study/hailey/writing/")


def test_a_look_recovers_a_request_whose_worker_died(browser: Client, reply: Reply) -> None:
    request = asked(reply)
    work.claim(worker="dead:1")
    FeedbackRequest.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    with TestCase.captureOnCommitCallbacks(execute=True):
        look(browser, request)
    assert state_of(look(browser, request)[0]) == "suggestions"


def test_a_look_calls_again_when_the_first_call_was_lost(browser: Client, reply: Reply) -> None:
    request = asked(reply)
    with TestCase.captureOnCommitCallbacks(execute=True) as calls:
        look(browser, request, 3)
    assert not calls
    with TestCase.captureOnCommitCallbacks(execute=True):
        look(browser, request, 4)
    assert state_of(look(browser, request, 5)[0]) == "suggestions"


def test_a_request_that_took_too_long_ends_in_words_not_in_a_spinner(browser: Client, reply: Reply) -> None:
    request = asked(reply)
    FeedbackRequest.objects.update(created_at=timezone.now() - timedelta(seconds=61))
    html, _ = look(browser, request)
    assert state_of(html) == "failed"
    assert FAILED in html
    assert "Try again" in html


@pytest.mark.parametrize("n", ["", "-1", "x", "99999", "٣"])
def test_a_look_with_an_odd_count_is_a_look(browser: Client, reply: Reply, n: str) -> None:
    response = browser.get(reverse("feedback:look", args=[asked(reply).pk]), {"n": n}, headers=HTMX)
    assert response.status_code == 200


# --- The answer ---------------------------------------------------------------------------------


def test_the_answer_is_the_reply_as_running_text_with_pills(browser: Client, reply: Reply) -> None:
    answered(reply)
    html = page(browser)
    assert state_of(html) == "suggestions"
    assert "for reloading feedback" in html
    assert html.count('class="pill"') == 2
    assert re.search(r"<del[^>]*><span[^>]*>replace </span>Don&#x27;t worry!</del>", html)
    assert re.search(rf"<ins[^>]*><span[^>]*>with </span>{STRUGGLE}</ins>", html)
    assert 'aria-label="Reload feedback"' in html


@pytest.mark.parametrize(
    "nasty", ["<script>alert(1)</script>", "“שלום” & <b>", "😭 I'm <i>here</i>", "{{ reply }} {% now %}"]
)
def test_whatever_is_written_or_suggested_is_shown_as_text(
    browser: Client, reply: Reply, rewriter: Scripted, nasty: str
) -> None:
    rewriter.answer = lambda text, *_: suggesting(replace(0, text, f"New {nasty}"), insert(0, nasty))
    request = answered(reply, nasty)
    assert request.status == "done", request.error
    html = page(browser)
    assert state_of(html) == "suggestions"
    for raw in ("<script>alert", "<b>", "<i>here"):
        assert raw not in html
    taken = browser.post(accept_url(request, "replace"), form(reply, nasty), headers=HTMX)
    assert "<script>alert" not in taken.content.decode()
    reply.refresh_from_db()
    assert reply.text == f"New {nasty}"


def test_nothing_needed_praises_and_is_inert_until_the_text_changes(
    browser: Client, reply: Reply, rewriter: Scripted
) -> None:
    rewriter.answer = lambda *_: Proposal("nothing_needed", SCORE)
    answered(reply)
    html = page(browser)
    assert state_of(html) == "awesome"
    assert re.search(r'data-when="same"[^>]*data-focus>Looks awesome! Keep up the good work 🙌', html)
    assert re.search(r'data-when="changed" hidden', html)
    browser.post(ask_url(reply), form(reply))
    assert len(rewriter.calls) == 1
    replies.save_draft(reply=reply, text="Changed.")
    html = page(browser)
    assert re.search(r'data-when="changed">', html)
    assert "Need more help? 🧐 Tap here ☝" in html


@pytest.mark.parametrize("outcome", ["no_suggestion", "screened"])
def test_an_answer_without_suggestions_says_so_kindly(
    browser: Client, reply: Reply, rewriter: Scripted, outcome: str
) -> None:
    rewriter.answer = lambda *_: Proposal(outcome, None)  # type: ignore[arg-type]
    answered(reply)
    html = page(browser)
    assert state_of(html) == {"no_suggestion": "failed", "screened": "screened"}[outcome]
    assert (FAILED in html) == (outcome == "no_suggestion")
    assert 'class="pill"' not in html


def test_a_failure_is_told_and_can_be_tried_again(browser: Client, reply: Reply, rewriter: Scripted) -> None:
    rewriter.answer = lambda *_: suggesting()
    answered(reply)
    html = page(browser)
    assert state_of(html) == "failed"
    assert FAILED in html
    rewriter.answer = lambda *_: suggesting(insert(0))
    browser.post(ask_url(reply), form(reply))
    work.work_queue()
    assert state_of(page(browser)) == "suggestions"
