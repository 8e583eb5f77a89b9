"""What a tap on a pill or on Flag does, with and without JavaScript."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from feedback.models import FeedbackFlag
from tests.feedback.helpers import DRAFT, HTMX, SORRY, STRUGGLE, accept_url, answered, form, page, state_of
from trial.models import Reply, Study

# --- Taking -------------------------------------------------------------------------------------


def test_a_tap_on_a_pill_gives_the_new_text_and_one_pill_less(browser: Client, reply: Reply) -> None:
    request = answered(reply)
    response = browser.post(accept_url(request, "replace"), form(reply), headers=HTMX)
    html = response.content.decode()
    assert f">\n{STRUGGLE} I&#x27;m there for you.</textarea>" in html
    assert html.count('class="pill"') == 1
    assert f'data-revision="{Reply.objects.get(pk=reply.pk).revision}"' in html


def test_after_the_last_pill_more_help_is_offered(browser: Client, reply: Reply) -> None:
    request = answered(reply)
    for op in ("replace", "insert"):
        reply.refresh_from_db()
        response = browser.post(accept_url(request, op), form(reply, reply.text), headers=HTMX)
    html = response.content.decode()
    assert state_of(html) == "taken"
    assert "Looks great 🙌  Tap here for more help 🧐" in html
    reply.refresh_from_db()
    assert reply.text == f"{STRUGGLE} I'm there for you. {SORRY}"


def test_without_javascript_a_pill_leads_back_to_the_edited_reply(browser: Client, reply: Reply) -> None:
    request = answered(reply)
    response = browser.post(accept_url(request, "insert"), form(reply, f"Hey! {DRAFT}"), follow=True)
    assert f"Hey! {DRAFT} {SORRY}".replace("'", "&#x27;") in response.content.decode()


def test_a_stale_pill_says_so_and_goes(browser: Client, reply: Reply) -> None:
    request = answered(reply)
    response = browser.post(accept_url(request, "replace"), form(reply, "All new."), headers=HTMX)
    html = response.content.decode()
    assert "no longer fits" in html
    assert html.count('class="pill"') == 1
    reply.refresh_from_db()
    assert reply.text == "All new."


def test_a_pill_of_an_earlier_answer_is_told_so(browser: Client, reply: Reply) -> None:
    old = accept_url(answered(reply), "insert")
    answered(reply)
    response = browser.post(old, form(reply), headers=HTMX)
    assert response.status_code == 409
    assert "replaced by newer ones" in response.content.decode()


# --- Flagging -----------------------------------------------------------------------------------


def flag_url(reply: Reply) -> str:
    return reverse("feedback:flag", args=[reply.pk])


def test_a_flag_is_thanked_for_and_the_draft_kept(browser: Client, reply: Reply) -> None:
    request = answered(reply)
    data = form(reply, f"{DRAFT} More.", feedback=request.pk, flag_harmful="on", flag_other="Too pushy.")
    response = browser.post(flag_url(reply), data, headers=HTMX)
    assert "has been flagged" in response.content.decode()
    flag = FeedbackFlag.objects.get()
    assert (flag.request, flag.harmful, flag.not_understood, flag.other) == (
        request,
        True,
        False,
        "Too pushy.",
    )
    reply.refresh_from_db()
    assert reply.text == f"{DRAFT} More."


def test_a_flag_without_a_reason_asks_for_one(browser: Client, reply: Reply) -> None:
    request = answered(reply)
    response = browser.post(flag_url(reply), form(reply, feedback=request.pk), headers=HTMX)
    html = response.content.decode()
    assert (response.status_code, response["X-Fragment"]) == (400, "help")
    assert "tick a reason" in html
    assert "<details open>" in html


@pytest.mark.parametrize("feedback", ["", "nonsense"])
def test_before_any_feedback_there_is_nothing_to_flag(browser: Client, reply: Reply, feedback: str) -> None:
    data = form(reply, feedback=feedback, flag_harmful="on")
    response = browser.post(flag_url(reply), data, follow=True)
    assert "no feedback to flag yet" in response.content.decode()
    assert not FeedbackFlag.objects.exists()


def test_the_reasons_are_those_of_the_trial(browser: Client, reply: Reply) -> None:
    html = page(browser)
    for words in (
        "You are flagging this feedback because...",
        "I don't understand the feedback.",
        "Feedback contains toxic/harmful content.",
        "Other reason",
        ">Close<",
        ">Flag feedback<",
    ):
        assert words in html


def test_the_next_reply_begins_with_the_offer_of_help(browser: Client, reply: Reply, hailey: Study) -> None:
    answered(reply)
    browser.post("/study/hailey/writing/", form(reply, f"{DRAFT} Done.", action="next"))
    assert state_of(page(browser)) == "idle"
