"""A participant's moves: each locks the row, checks the state, writes, and leaves an audit event.

Every act is idempotent: repeated after it succeeded (double click, second tab, retry), it
returns the participant as they are and changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from trial import progress
from trial.errors import DomainError
from trial.models import (
    ConsentRecord,
    Participant,
    StateChange,
    Study,
    TrainingCheck,
    User,
)
from trial.progress import State
from trial.services import allocation, audit, posts, surveys


class FlowError(DomainError):
    """The act does not belong to the state the participant is in."""

    code = "wrong_state"


class NotRecruitingError(DomainError):
    code = "not_recruiting"


def lock(participant: Participant) -> Participant:
    """The participant's row, locked until the transaction ends."""
    return (
        Participant.objects.select_for_update(of=("self",))
        .select_related("study", "version")
        .defer("version__document")
        .get(pk=participant.pk)
    )


def move(participant: Participant, target: State, *, label: str = "participant") -> None:
    """Enter a state; call inside a transaction, on a locked row.

    Raises:
        FlowError: the table of moves does not allow it.
    """
    if not progress.allowed(participant.state, target):
        raise FlowError(f"cannot go from {participant.state} to {target}")
    now = timezone.now()
    participant.state = target
    participant.last_seen_at = now
    if target in progress.TERMINAL:
        participant.finished_at = now
    participant.save(update_fields=["state", "last_seen_at", "finished_at"])
    StateChange.objects.create(participant=participant, state=target)
    audit.record(
        "participant.moved",
        label=label,
        study=participant.study,
        ref=participant.code,
        data={"state": str(target)},
    )


@transaction.atomic
def begin(*, study: Study, source: str = "", country: str = "") -> Participant:
    """A new participant, at screening.

    Raises:
        NotRecruitingError: the study is not open.
    """
    if not study.is_recruiting or study.current_version is None:
        raise NotRecruitingError("This study is not taking new participants at the moment.")
    known = source if source in study.protocol.recruitment_sources else ""
    participant = Participant.objects.create(
        study=study, version=study.current_version, source=known, country=country[:2]
    )
    StateChange.objects.create(participant=participant, state=State.SCREENING)
    audit.record("participant.began", label="participant", study=study, ref=participant.code)
    return participant


@transaction.atomic
def answer_screening(*, participant: Participant, answers: Mapping[str, Any]) -> Participant:
    """Move to consent, or to ineligible if a rule is not met.

    Of somebody ineligible only the unmet rules are kept, for the flow diagram; never the answers.
    """
    participant = lock(participant)
    if participant.state != State.SCREENING:
        return participant
    rules = participant.protocol.eligibility.rules
    unmet = [rule.item for rule in rules if not rule.met_by(answers.get(rule.item))]
    surveys.store(participant, "screening", {"unmet": unmet} if unmet else answers)
    move(participant, State.INELIGIBLE if unmet else State.CONSENT)
    return participant


@transaction.atomic
def decide_consent(*, participant: Participant, agreed: bool) -> Participant:
    """Record the decision on the consent document as it stands, by version and hash."""
    participant = lock(participant)
    if participant.state != State.CONSENT:
        return participant
    record_consent(participant, agreed=agreed)
    move(participant, State.ACCOUNT if agreed else State.DECLINED)
    return participant


def record_consent(participant: Participant, *, agreed: bool) -> ConsentRecord:
    """One decision on the consent document of the participant's protocol version."""
    consent = participant.protocol.consent
    record, _ = ConsentRecord.objects.get_or_create(
        participant=participant,
        version=consent.version,
        defaults={
            "document_sha256": hashlib.sha256(consent.document.encode()).hexdigest(),
            "agreed": agreed,
            "statements": [s.code for s in consent.statements] if agreed else [],
        },
    )
    audit.record(
        "consent.given" if agreed else "consent.declined",
        label="participant",
        study=participant.study,
        ref=participant.code,
        data={"version": consent.version, "sha256": record.document_sha256},
    )
    return record


@transaction.atomic
def link_account(*, participant: Participant, user: User) -> Participant:
    """Tie the account to the participant, once per study; a returning account keeps its first one."""
    participant = lock(participant)
    if participant.state != State.ACCOUNT or participant.user_id is not None:
        return participant
    existing = Participant.objects.filter(study=participant.study, user=user).first()
    if existing:
        move(participant, State.DUPLICATE)
        return existing
    participant.user = user
    participant.save(update_fields=["user"])
    move(participant, State.PRE_SURVEY)
    return participant


@transaction.atomic
def submit_survey(*, participant: Participant, survey: str, answers: Mapping[str, Any]) -> Participant:
    """Store the survey before or after writing and go on."""
    here, after = {
        "pre": (State.PRE_SURVEY, State.TRAINING),
        "post": (State.POST_SURVEY, State.DEBRIEF),
    }[survey]
    participant = lock(participant)
    if participant.state != here:
        return participant
    surveys.store(participant, survey, answers)
    _note_country(participant, str(answers.get("country", "")))
    move(participant, after)
    return participant


def _note_country(participant: Participant, answer: str) -> None:
    """A country item answered with a two-letter code decides which crisis resources come first."""
    if len(answer) == 2 and answer.isalpha():
        participant.country = answer.upper()
        participant.save(update_fields=["country"])


@transaction.atomic
def answer_training(*, participant: Participant, page: str, answer: str) -> bool:
    """Answer a training page's check; a right answer (or no check) turns the page.

    The last page leads to allocation and the instructions. Returns whether the answer was right.
    """
    participant = lock(participant)
    pages = participant.protocol.training
    if participant.state != State.TRAINING or pages[participant.training_page].code != page:
        return True
    check = pages[participant.training_page].check
    if check is not None:
        correct = answer == check.answer
        TrainingCheck.objects.create(participant=participant, page=page, answer=answer[:40], correct=correct)
        if not correct:
            return False
    participant.training_page += 1
    if participant.training_page < len(pages):
        participant.save(update_fields=["training_page"])
    else:
        participant.training_page = len(pages) - 1
        participant.save(update_fields=["training_page"])
        _randomise(participant)
    return True


def _randomise(participant: Participant) -> None:
    allocation.allocate(participant=participant)
    posts.assign(participant)
    move(participant, State.INSTRUCTIONS)


@transaction.atomic
def begin_writing(*, participant: Participant) -> Participant:
    participant = lock(participant)
    if participant.state == State.INSTRUCTIONS:
        move(participant, State.WRITING)
    return participant


@transaction.atomic
def finish(*, participant: Participant) -> Participant:
    """The debrief was read: the participant has completed the study."""
    participant = lock(participant)
    if participant.state == State.DEBRIEF:
        move(participant, State.COMPLETED)
    return participant


@transaction.atomic
def reconsent(*, participant: Participant, agreed: bool) -> Participant:
    """Decide on an amended consent: go on under the current version, or leave the study."""
    from trial.services import withdrawal

    participant = lock(participant)
    if not participant.is_active:
        return participant
    if not agreed:
        withdrawal.withdraw(participant=participant, kind="stop", reason="declined the amended consent")
        return participant
    assert participant.study.current_version is not None
    participant.version = participant.study.current_version
    participant.save(update_fields=["version"])
    record_consent(participant, agreed=True)
    return participant


def needs_reconsent(participant: Participant) -> bool:
    """Whether the current consent document is one this participant has not decided on."""
    if not participant.is_active or participant.state in (State.SCREENING, State.CONSENT):
        return False
    wanted = participant.study.protocol.consent.version
    if wanted == participant.protocol.consent.version:
        return False
    return not participant.consents.filter(version=wanted, agreed=True).exists()


def time_out_inactive() -> int:
    """Close the participations nobody touched for the protocol's number of days; returns how many.

    One transaction each: the lock order is participant, then study, then audit trail.
    """
    return sum(_time_out(person) for person in Participant.objects.active().select_related("study", "version"))


@transaction.atomic
def _time_out(participant: Participant) -> bool:
    participant = lock(participant)
    idle = timezone.now() - participant.last_seen_at
    if not participant.is_active or idle.days < participant.protocol.inactive_days:
        return False
    move(participant, State.TIMED_OUT, label="system")
    return True


def touch(participant: Participant) -> None:
    """Note that the participant was here, at most once a minute."""
    now = timezone.now()
    if (now - participant.last_seen_at).total_seconds() > 60:
        Participant.objects.filter(pk=participant.pk).update(last_seen_at=now)
