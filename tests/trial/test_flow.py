"""The participant's way through the services: order, idempotency, leaving."""

from __future__ import annotations

import hashlib
import re

import pytest

from tests import builders
from trial.models import (
    Allocation,
    AuditEvent,
    Participant,
    Reply,
    StateChange,
    Study,
    SurveyResponse,
    User,
    Withdrawal,
)
from trial.progress import MOVES, TERMINAL, WAY, State, allowed
from trial.services import flow, replies, studies, withdrawal
from trial.services.replies import ReplyError


def test_a_participant_reaches_the_end_and_every_step_is_dated(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.COMPLETED)
    assert list(person.changes.values_list("state", flat=True)) == list(WAY)
    assert person.finished_at is not None


def test_every_move_off_the_table_is_refused() -> None:
    legal = {(source, target) for source, targets in MOVES.items() for target in targets}
    leaving = {State.WITHDRAWN, State.TIMED_OUT}
    for source in State:
        for target in State:
            expected = (source, target) in legal or (target in leaving and source not in TERMINAL)
            assert allowed(source, target) is expected, (source, target)


def test_an_unmet_rule_makes_ineligible_and_keeps_no_answers(hailey: Study) -> None:
    person = flow.begin(study=hailey)
    given = builders.eligible_answers(hailey) | {"age": 17}
    person = flow.answer_screening(participant=person, answers=given)
    assert person.state == State.INELIGIBLE
    assert SurveyResponse.objects.get(participant=person).answers == {"unmet": ["age"]}


def test_declining_consent_is_recorded_and_final(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.CONSENT)
    person = flow.decide_consent(participant=person, agreed=False)
    assert person.state == State.DECLINED
    assert flow.decide_consent(participant=person, agreed=True).state == State.DECLINED
    assert not person.consents.get().agreed


def test_consent_keeps_the_hash_of_the_document_that_was_shown(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.ACCOUNT)
    document = hailey.protocol.consent.document.encode()
    assert person.consents.get().document_sha256 == hashlib.sha256(document).hexdigest()


def test_repeating_a_step_changes_nothing(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.TRAINING)
    before = AuditEvent.objects.count()
    flow.answer_screening(participant=person, answers={"age": 3})
    flow.decide_consent(participant=person, agreed=False)
    flow.submit_survey(participant=person, survey="pre", answers={})
    person.refresh_from_db()
    assert person.state == State.TRAINING
    assert AuditEvent.objects.count() == before


def test_a_wrong_training_answer_keeps_the_page_and_is_counted(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.TRAINING)
    page = next(p for p in hailey.protocol.training if p.check)
    for earlier in hailey.protocol.training[: hailey.protocol.training.index(page)]:
        flow.answer_training(participant=person, page=earlier.code, answer="")
    wrong = next(o.value for o in page.check.options if o.value != page.check.answer)
    assert flow.answer_training(participant=person, page=page.code, answer=wrong) is False
    assert person.checks.filter(correct=False).count() == 1
    assert not Allocation.objects.filter(participant=person).exists()


def test_the_last_training_page_allocates_once_and_draws_distinct_posts(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.INSTRUCTIONS)
    last = hailey.protocol.training[-1]
    flow.answer_training(participant=person, page=last.code, answer=last.check.answer if last.check else "")
    assert Allocation.objects.filter(participant=person).count() == 1
    drawn = list(person.replies.values_list("post_id", flat=True))
    assert len(drawn) == len(set(drawn)) == hailey.protocol.writing.per_participant


def test_posts_are_answered_about_equally_often_in_each_arm(hailey: Study) -> None:
    for _ in range(40):
        builders.participant(hailey, state=State.INSTRUCTIONS)
    for arm in ("a0", "a1"):
        counts = [
            Reply.objects.filter(post=post, participant__allocation__arm=arm).count()
            for post in hailey.posts.filter(active=True)
        ]
        assert max(counts) - min(counts) <= 1


def test_a_second_account_for_the_same_person_leads_to_the_first(hailey: Study) -> None:
    first = builders.participant(hailey, state=State.PRE_SURVEY)
    again = builders.participant(hailey, state=State.ACCOUNT)
    assert flow.link_account(participant=again, user=first.user) == first
    again.refresh_from_db()
    assert again.state == State.DUPLICATE


def test_nobody_begins_in_a_paused_study_but_those_inside_go_on(hailey: Study) -> None:
    person = builders.participant(hailey)
    studies.act(study=hailey, name="pause")
    hailey.refresh_from_db()
    with pytest.raises(flow.NotRecruitingError) as refusal:
        flow.begin(study=hailey)
    assert refusal.value.code == "not_recruiting"
    builders.write_all(Participant.objects.get(pk=person.pk))
    person.refresh_from_db()
    assert person.state == State.POST_SURVEY


def test_a_withdrawn_participant_cannot_submit(alice: Participant) -> None:
    reply = replies.current(alice)
    withdrawal.withdraw(participant=alice, kind="stop")
    with pytest.raises(ReplyError) as refusal:
        replies.submit(reply=reply, text="Too late.")
    assert refusal.value.code == "wrong_state"
    assert not alice.replies.submitted().exists()


def test_stopping_keeps_what_was_given(alice: Participant) -> None:
    replies.submit(reply=replies.current(alice), text="I hear you.")
    alice = withdrawal.withdraw(participant=alice, kind="stop", reason="No time")
    assert alice.state == State.WITHDRAWN
    assert alice.replies.submitted().count() == 1
    assert alice.withdrawal.at_state == State.WRITING


def test_erasing_deletes_words_and_identity_but_keeps_the_ledger(alice: Participant) -> None:
    replies.submit(reply=replies.current(alice), text="I hear you.")
    address = alice.user.email
    alice = withdrawal.withdraw(participant=alice, kind="erase", reason="Private")
    assert alice.replies.count() == alice.responses.count() == 0
    assert alice.user is None
    assert not User.objects.filter(email=address).exists()
    assert Allocation.objects.filter(participant=alice).exists()
    assert Withdrawal.objects.get(participant=alice).reason == ""


def test_a_stop_can_still_become_an_erasure(alice: Participant) -> None:
    withdrawal.withdraw(participant=alice, kind="stop")
    alice = withdrawal.withdraw(participant=alice, kind="erase")
    assert alice.erased_at is not None
    assert alice.withdrawal.kind == "erase"


def test_the_audit_trail_holds_no_text_no_address_and_no_arm(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.COMPLETED)
    events = " ".join(str((event.actor, event.object_ref, event.data)) for event in AuditEvent.objects.all())
    stored = re.sub(r"\b[0-9a-f]{64}\b", "", events)  # a hash may hold the letters of an arm's code by chance
    assert person.code in " ".join(AuditEvent.objects.values_list("object_ref", flat=True))
    for secret in (person.user.email, "That sounds hard", person.allocation.arm, "feedback"):
        assert secret not in stored


def test_inactive_people_time_out_and_active_ones_do_not(hailey: Study) -> None:
    from datetime import timedelta

    from django.utils import timezone

    idle, fresh = builders.participant(hailey), builders.participant(hailey)
    long_ago = timezone.now() - timedelta(days=hailey.protocol.inactive_days + 1)
    Participant.objects.filter(pk=idle.pk).update(last_seen_at=long_ago)
    assert flow.time_out_inactive() == 1
    idle.refresh_from_db()
    fresh.refresh_from_db()
    assert (idle.state, fresh.state) == (State.TIMED_OUT, State.WRITING)
    assert StateChange.objects.filter(participant=idle, state=State.TIMED_OUT).count() == 1
