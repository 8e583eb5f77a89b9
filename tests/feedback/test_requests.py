"""Asking for feedback and taking suggestions."""

from __future__ import annotations

import pytest
from django.test import TestCase

from feedback.errors import NoReasonError, NothingToFlagError, NotOfferedError, SupersededError
from feedback.models import FeedbackFlag, FeedbackRequest, Suggestion
from feedback.services import requests, work
from ml.types import Proposal
from tests.feedback.helpers import (
    DRAFT,
    SCORE,
    SORRY,
    STRUGGLE,
    Scripted,
    answered,
    asked,
    insert,
    replace,
    suggesting,
)
from trial.models import AuditEvent, Participant, Reply
from trial.services import replies
from trial.services.replies import ReplyError


def suggestion_of(request: FeedbackRequest, op: str) -> Suggestion:
    return Suggestion.objects.get(request=request, op=op)


# --- Asking -----------------------------------------------------------------------------------


def test_asking_stores_the_draft_and_a_waiting_request(reply: Reply) -> None:
    request = asked(reply)
    reply.refresh_from_db()
    assert (reply.text, reply.revision) == (DRAFT, 1)
    assert (request.status, request.text, request.attempts) == ("queued", DRAFT, 0)


def test_asking_wakes_a_worker_once_the_row_is_committed(reply: Reply) -> None:
    with TestCase.captureOnCommitCallbacks() as callbacks:
        asked(reply)
        assert FeedbackRequest.objects.get().status == "queued"
    assert len(callbacks) == 1
    callbacks[0]()
    assert FeedbackRequest.objects.get().status == "done"


def test_asking_leaves_an_audit_event_that_names_neither_writer_nor_arm(reply: Reply) -> None:
    request = asked(reply)
    event = AuditEvent.objects.get(action="feedback.requested")
    assert event.object_ref == f"request:{request.pk}"
    assert reply.participant.code not in f"{event.object_ref}{event.data}{event.actor}{event.actor_id}"


def test_the_same_tap_twice_is_one_request(reply: Reply) -> None:
    first = requests.ask(reply=reply, text=DRAFT, key="one-tap-only")
    second = requests.ask(reply=reply, text=DRAFT, key="one-tap-only")
    assert first == second
    assert FeedbackRequest.objects.count() == 1


def test_asking_again_while_the_answer_is_awaited_joins_the_open_request(reply: Reply) -> None:
    assert asked(reply) == asked(reply)


def test_asking_on_newer_text_gives_up_the_request_on_the_older(reply: Reply) -> None:
    old, new = asked(reply), asked(reply, "Something else entirely.")
    old.refresh_from_db()
    assert old != new
    assert (old.status, old.error) == ("expired", "superseded")
    assert new.status == "queued"


def test_reloading_asks_for_other_sentences_and_ignores_those_not_taken(reply: Reply, rewriter: Scripted) -> None:
    first = answered(reply)
    second = answered(reply)
    assert rewriter.calls[-1][3] == {SORRY, STRUGGLE}
    assert {s.state for s in first.suggestions.all()} == {"ignored"}
    assert {s.state for s in second.suggestions.all()} == {"shown"}


def test_suggestions_that_never_were_on_the_page_are_not_called_ignored(reply: Reply) -> None:
    first = asked(reply)
    work.work_queue()
    answered(reply, "Another text.")
    assert {s.state for s in first.suggestions.all()} == {"stored"}


def test_a_text_that_needed_nothing_needs_nothing_until_it_changes(reply: Reply, rewriter: Scripted) -> None:
    rewriter.answer = lambda *_: Proposal(outcome="nothing_needed", before=SCORE)
    first = answered(reply)
    assert asked(reply) == first
    assert asked(reply, DRAFT + " Really.") != first


def test_a_failed_answer_can_be_asked_for_again_on_the_same_text(reply: Reply, rewriter: Scripted) -> None:
    def broken(*_: object) -> Proposal:
        raise RuntimeError(DRAFT)

    working, rewriter.answer = rewriter.answer, broken
    failed = answered(reply)
    rewriter.answer = working
    retried = answered(reply)
    assert (failed.status, retried.status) == ("failed", "done")


def test_control_participants_cannot_ask(bob: Participant) -> None:
    current = replies.current(bob)
    assert current is not None
    with pytest.raises(NotOfferedError):
        asked(current)
    assert not FeedbackRequest.objects.exists()
    current.refresh_from_db()
    assert current.text == ""


def test_nobody_can_ask_about_a_sent_reply(reply: Reply) -> None:
    replies.submit(reply=reply, text=DRAFT)
    with pytest.raises(ReplyError) as refused:
        asked(reply)
    assert refused.value.code == "submitted"
    assert not FeedbackRequest.objects.exists()


def test_a_text_that_is_too_long_is_refused_and_changes_nothing(reply: Reply) -> None:
    request = asked(reply)
    with pytest.raises(ReplyError) as refused:
        asked(reply, "x" * 20_001)
    request.refresh_from_db()
    reply.refresh_from_db()
    assert (refused.value.code, request.status, reply.text) == ("too_long", "queued", DRAFT)


def test_asking_from_a_window_that_is_behind_changes_nothing(reply: Reply) -> None:
    replies.save_draft(reply=reply, text="Newer.", revision=0, window="other")
    with pytest.raises(ReplyError) as refused:
        requests.ask(reply=reply, text="Older.", key="from-behind", revision=0, window="this")
    reply.refresh_from_db()
    assert (refused.value.code, reply.text) == ("stale_revision", "Newer.")
    assert not FeedbackRequest.objects.exists()


@pytest.mark.parametrize(
    "text", ["", "   ", "😭💔🫂", "أنا آسف جدا لسماع ذلك.", "<script>alert(1)</script>", '"it\'s\n\\"']
)
def test_any_text_can_be_asked_about(reply: Reply, text: str) -> None:
    request = answered(reply, text)
    reply.refresh_from_db()
    assert (request.status, reply.text) == ("done", text)


# --- Taking a suggestion ----------------------------------------------------------------------


def test_taking_one_suggestion_applies_only_that_one(reply: Reply) -> None:
    request = answered(reply)
    accepted = requests.accept(suggestion=suggestion_of(request, "replace"), text=DRAFT)
    reply.refresh_from_db()
    assert accepted.applied
    assert accepted.text == reply.text == f"{STRUGGLE} I'm there for you."
    assert [s.state for s in request.suggestions.all()] == ["accepted", "shown"]


def test_all_suggestions_of_an_answer_can_be_taken_in_any_order(reply: Reply) -> None:
    for order in (("replace", "insert"), ("insert", "replace")):
        request = answered(reply, "Don't worry!")
        texts = {s.op: s.new for s in request.suggestions.all()}
        current = "Don't worry!"
        for op in order:
            current = requests.accept(suggestion=suggestion_of(request, op), text=current).text
        assert current == f"{texts['replace']} {texts['insert']}"


def test_two_inserts_at_one_place_keep_their_order(reply: Reply, rewriter: Scripted) -> None:
    rewriter.answer = lambda *_: suggesting(insert(1, "First."), insert(1, "Second."))
    for order, expected in (((0, 1), "Hi there. First. Second."), ((1, 0), "Hi there. First. Second.")):
        request = answered(reply, "Hi there.")
        current = "Hi there."
        for number in order:
            suggestion = request.suggestions.get(order=number)
            current = requests.accept(suggestion=suggestion, text=current).text
        assert current == expected


def test_manual_edits_made_since_asking_are_kept(reply: Reply) -> None:
    request = answered(reply)
    edited = f"Hey 🙂\n\n{DRAFT} Call me <3"
    accepted = requests.accept(suggestion=suggestion_of(request, "replace"), text=edited)
    assert accepted.text == f"Hey 🙂\n\n{STRUGGLE} I'm there for you. Call me <3"


def test_a_suggestion_whose_sentence_is_gone_becomes_stale_and_the_text_stays(reply: Reply) -> None:
    request = answered(reply)
    accepted = requests.accept(suggestion=suggestion_of(request, "replace"), text="I wrote it all anew.")
    reply.refresh_from_db()
    assert not accepted.applied
    assert accepted.text == reply.text == "I wrote it all anew."
    assert suggestion_of(request, "replace").state == "stale"


def test_a_double_tap_takes_a_suggestion_once(reply: Reply) -> None:
    suggestion = suggestion_of(answered(reply), "insert")
    first = requests.accept(suggestion=suggestion, text=DRAFT, revision=1, window="w")
    second = requests.accept(suggestion=suggestion, text=DRAFT, revision=1, window="w")
    assert first.text == second.text == f"{DRAFT} {SORRY}"
    assert AuditEvent.objects.filter(action="feedback.suggestion_accepted").count() == 1


def test_a_suggestion_of_an_earlier_answer_can_no_longer_be_taken(reply: Reply) -> None:
    old = suggestion_of(answered(reply), "insert")
    answered(reply)
    with pytest.raises(SupersededError):
        requests.accept(suggestion=old, text=DRAFT)
    reply.refresh_from_db()
    assert reply.text == DRAFT


def test_taking_a_suggestion_that_makes_the_reply_too_long_keeps_it_pending(reply: Reply, rewriter: Scripted) -> None:
    limit = reply.participant.protocol.writing.max_length
    text = "x" * limit
    rewriter.answer = lambda *_: suggesting(insert(1))
    suggestion = suggestion_of(answered(reply, text), "insert")
    with pytest.raises(ReplyError) as refused:
        requests.accept(suggestion=suggestion, text=text)
    suggestion.refresh_from_db()
    assert refused.value.code == "too_long"
    assert suggestion.is_pending


def test_taking_from_a_window_that_is_behind_changes_nothing(reply: Reply) -> None:
    suggestion = suggestion_of(answered(reply), "insert")
    replies.save_draft(reply=reply, text="Newer.", revision=1, window="other")
    with pytest.raises(ReplyError):
        requests.accept(suggestion=suggestion, text=DRAFT, revision=1, window="this")
    suggestion.refresh_from_db()
    reply.refresh_from_db()
    assert suggestion.is_pending
    assert reply.text == "Newer."


# --- What becomes of the rest -----------------------------------------------------------------


def test_sending_the_reply_notes_what_was_used_of_each_suggestion(reply: Reply, rewriter: Scripted) -> None:
    reworded, unused = "It sounds like a hard week for you.", "What helped last time?"
    rewriter.answer = lambda *_: suggesting(replace(0, "Don't worry!"), insert(1, reworded), insert(2, unused))
    request = answered(reply)
    text = requests.accept(suggestion=suggestion_of(request, "replace"), text=DRAFT).text
    replies.submit(reply=reply, text=f"{text} Sounds like a very hard week.")
    taken, other, ignored = request.suggestions.all()
    assert (taken.state, taken.kept) == ("accepted", 1.0)
    assert (other.state, other.kept) == ("ignored", pytest.approx(6 / 8))
    assert ignored.kept is not None
    assert ignored.kept < 0.3


def test_sending_the_reply_gives_up_an_open_request(reply: Reply) -> None:
    request = asked(reply)
    replies.submit(reply=reply, text=DRAFT)
    assert work.work_queue() == 0
    request.refresh_from_db()
    assert (request.status, request.error) == ("expired", "submitted")


def test_showing_is_noted_once(reply: Reply) -> None:
    request = answered(reply)
    before = (request.answered_at, [s.shown_at for s in request.suggestions.all()])
    request.refresh_from_db()
    requests.record_shown(request)
    request.refresh_from_db()
    assert before[1] == [s.shown_at for s in request.suggestions.all()]
    assert all(before[1])
    assert request.answered_at is not None


# --- Flagging ---------------------------------------------------------------------------------


def test_a_flag_is_stored_with_its_reasons(reply: Reply) -> None:
    request = answered(reply)
    requests.flag(request=request, harmful=True, other="  It blames them. ")
    flag = FeedbackFlag.objects.get(request=request)
    assert (flag.not_understood, flag.harmful, flag.other) == (False, True, "It blames them.")
    assert all(s.flagged_at for s in request.suggestions.all())
    assert "blames" not in str(AuditEvent.objects.get(action="feedback.flagged").data)


def test_flagging_again_adds_to_the_flag(reply: Reply) -> None:
    request = answered(reply)
    requests.flag(request=request, harmful=True)
    requests.flag(request=request, not_understood=True, other="Odd.")
    flag = FeedbackFlag.objects.get()
    assert (flag.not_understood, flag.harmful, flag.other) == (True, True, "Odd.")


def test_a_flag_needs_a_reason(reply: Reply) -> None:
    with pytest.raises(NoReasonError):
        requests.flag(request=answered(reply), other="   ")
    assert not FeedbackFlag.objects.exists()


def test_there_is_nothing_to_flag_before_the_answer(reply: Reply) -> None:
    with pytest.raises(NothingToFlagError):
        requests.flag(request=asked(reply), harmful=True)
