"""Replies: drafts, two windows, odd text, the safety screen."""

from __future__ import annotations

import pytest

from tests import builders
from trial.models import Participant, SafetyEvent
from trial.progress import State
from trial.services import replies
from trial.services.replies import ReplyError

ODD_TEXTS = (
    "🙏🏽 So sorry 😢 — you’re not alone 👩‍👩‍👧",
    "أنا هنا من أجلك. שלום",
    "<script>alert('x')</script> & <b>bold</b>",
    "Line one\r\nline two\rline three",
    "  leading and trailing  ",
)


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_any_text_is_kept_as_typed_but_for_line_ends(alice: Participant, text: str) -> None:
    reply = replies.save_draft(reply=replies.current(alice), text=text)
    reply.refresh_from_db()
    assert reply.text == text.replace("\r\n", "\n").replace("\r", "\n")


def test_an_empty_reply_is_refused(alice: Participant) -> None:
    with pytest.raises(ReplyError) as refusal:
        replies.submit(reply=replies.current(alice), text=" \n ")
    assert refusal.value.code == "empty"


def test_twenty_thousand_characters_are_refused_and_the_draft_stays(alice: Participant) -> None:
    reply = replies.save_draft(reply=replies.current(alice), text="Kept.")
    with pytest.raises(ReplyError) as refusal:
        replies.submit(reply=reply, text="x" * 20_000)
    assert refusal.value.code == "too_long"
    reply.refresh_from_db()
    assert (reply.text, reply.submitted_at) == ("Kept.", None)


def test_sending_twice_sends_once(alice: Participant) -> None:
    reply = replies.current(alice)
    replies.submit(reply=reply, text="I am here.")
    replies.submit(reply=reply, text="Something else")
    reply.refresh_from_db()
    assert reply.text == "I am here."
    assert alice.replies.submitted().count() == 1


def test_another_window_is_told_that_it_is_behind(alice: Participant) -> None:
    reply = replies.current(alice)
    seen = reply.revision
    replies.save_draft(reply=reply, text="From the phone", revision=seen, window="phone")
    with pytest.raises(ReplyError) as refusal:
        replies.save_draft(reply=reply, text="From the laptop", revision=seen, window="laptop")
    assert refusal.value.code == "stale_revision"
    reply.refresh_from_db()
    assert reply.text == "From the phone"


def test_a_window_is_never_behind_its_own_saves(alice: Participant) -> None:
    reply = replies.current(alice)
    seen = reply.revision
    replies.save_draft(reply=reply, text="Half a sen", revision=seen, window="phone")
    saved = replies.save_draft(reply=reply, text="Half a sentence.", revision=seen, window="phone")
    assert saved.text == "Half a sentence."


def test_the_last_reply_leads_to_the_survey(alice: Participant) -> None:
    builders.write_all(alice)
    alice.refresh_from_db()
    assert alice.state == State.POST_SURVEY
    assert alice.replies.submitted().count() == alice.protocol.writing.per_participant


@pytest.mark.parametrize("intervention", ["feedback", "none"])
def test_worrying_words_raise_one_event_in_either_arm_and_block_nothing(hailey, intervention: str) -> None:
    person = builders.participant(hailey, intervention=intervention)
    reply = replies.current(person)
    words = "I want to kill myself tonight."
    replies.save_draft(reply=reply, text=words)
    replies.submit(reply=reply, text=words)
    event = SafetyEvent.objects.get(participant=person)
    assert event.reply == reply
    assert "suicide" in event.categories
    reply.refresh_from_db()
    assert reply.submitted_at is not None


def test_the_safety_officer_is_told_without_the_text(hailey, django_capture_on_commit_callbacks, mailoutbox) -> None:
    officer = builders.staff("safety_officer")
    person = builders.participant(hailey)
    with django_capture_on_commit_callbacks(execute=True):
        replies.save_draft(reply=replies.current(person), text="I want to kill myself tonight.")
    assert [mail.to for mail in mailoutbox] == [[officer.email]]
    assert "kill myself" not in mailoutbox[0].body
    assert person.code in mailoutbox[0].body
