"""Allocate participants to arms from a sealed seed, onto a ledger that anybody can replay.

Locks are taken in one order everywhere: participant, study, and the audit trail last.
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from trial import ledger, randomisation, sealing
from trial.canonical import moment
from trial.errors import DomainError
from trial.models import (
    Allocation,
    AllocationSeal,
    AuditEvent,
    Participant,
    ProtocolVersion,
    Study,
    SurveyResponse,
    User,
)
from trial.progress import State
from trial.protocol import Protocol
from trial.randomisation import History, Plan
from trial.services import audit

MADE = "allocation.made"


class AlreadySealedError(DomainError):
    code = "already_sealed"


class NotSealedError(DomainError):
    code = "not_sealed"


class StudyNotOpenError(DomainError):
    code = "study_not_open"


class WrongStateError(DomainError):
    code = "wrong_state"


class StratumMissingError(DomainError):
    code = "stratum_missing"


class NotLockedError(DomainError):
    code = "study_not_locked"


# --- Acts ---------------------------------------------------------------------------------


@transaction.atomic
def seal(*, study: Study) -> AllocationSeal:
    """Draw the secret seed of a study and publish the commitment to it; once, as it opens.

    Raises:
        AlreadySealedError: it has a seed.
        StudyNotOpenError: it has no protocol, or is closed or locked.
    """
    study = _locked_study(study.pk)
    if AllocationSeal.objects.filter(study=study).exists():
        raise AlreadySealedError(f"{study.slug} is sealed already.")
    if study.current_version is None or study.state in (Study.State.CLOSED, Study.State.LOCKED):
        raise StudyNotOpenError(f"{study.slug} is {study.state}, or has no protocol: it cannot be sealed.")
    seed = secrets.token_bytes(randomisation.SEED_BYTES)
    sealed = AllocationSeal.objects.create(
        study=study,
        encrypted_seed=sealing.encrypt(seed),
        commitment=randomisation.commitment(seed, study.current_version.sha256),
        protocol_sha256=study.current_version.sha256,
        generator=randomisation.GENERATOR,
        sealed_at=timezone.now(),
    )
    audit.record("allocation.sealed", study=study, data={"commitment": sealed.commitment})
    return sealed


@transaction.atomic
def allocate(*, participant: Participant) -> Allocation:
    """Put a participant on the next place of the ledger; asked again, return the same place.

    Raises:
        WrongStateError: the participant is not between training and writing.
        NotSealedError, StudyNotOpenError: the study takes nobody now.
        StratumMissingError: a stratum's survey item was not answered and submitted.
    """
    person = Participant.objects.select_for_update(of=("self",)).get(pk=participant.pk)
    existing = Allocation.objects.filter(participant=person).first()
    if existing:
        return existing
    if person.state not in (State.TRAINING, State.INSTRUCTIONS):
        raise WrongStateError(f"{person.code} is in {person.state}: nobody is allocated there.")
    study = _locked_study(person.study_id)
    sealed = _seal_of(study)
    if not study.is_recruiting:
        raise StudyNotOpenError(f"{study.slug} is {study.state}: nobody is allocated now.")
    return _append(study, sealed, participant)


@transaction.atomic
def reveal(*, study: Study) -> AllocationSeal:
    """Publish the seed, once nobody can be allocated any more; asked again, change nothing.

    Raises:
        NotLockedError: the study could still allocate.
        NotSealedError: it was never opened.
    """
    study = _locked_study(study.pk)
    if study.state not in (Study.State.CLOSED, Study.State.LOCKED):
        raise NotLockedError(f"{study.slug} is {study.state}: its seed stays sealed until it is locked.")
    sealed = _seal_of(study)
    if not sealed.revealed_seed:
        sealed.revealed_seed = sealing.decrypt(bytes(sealed.encrypted_seed)).hex()
        sealed.revealed_at = timezone.now()
        sealed.save(update_fields=["revealed_seed", "revealed_at"])
        audit.record("allocation.revealed", study=study, data={"commitment": sealed.commitment})
    return sealed


# --- Questions ----------------------------------------------------------------------------


def intervention_of(participant: Participant) -> str:
    """The intervention of the participant's arm; "none" before allocation."""
    arm = Allocation.objects.filter(participant=participant).values_list("arm", flat=True).first()
    return participant.protocol.arm(arm).intervention if arm else "none"


def arms_of(study: Study, *, user: User) -> dict[int, str]:
    """Arm by participant; before the lock, a look that is recorded.

    Raises:
        PermissionDenied: the study is not locked and the user may not see arms.
    """
    study.refresh_from_db(fields=["state"])
    if study.state != Study.State.LOCKED:
        if not user.has_perm("trial.view_allocation"):
            raise PermissionDenied
        with transaction.atomic():
            audit.record("allocation.viewed", actor=user, study=study)
    return dict(_rows(study).values_list("participant_id", "arm"))


def coded_arms(study: Study) -> dict[int, str]:
    """A or B by participant, for reports before the lock; which is which follows from the seed."""
    seed, arms = seed_of(study), [arm.code for arm in study.protocol.arms]
    order = sorted(arms, key=lambda arm: randomisation.draw(seed, study.slug, f"label:{arm}", 0))
    letters = {arm: chr(ord("A") + n) for n, arm in enumerate(order)}
    return {pk: letters[arm] for pk, arm in _rows(study).values_list("participant_id", "arm")}


def seed_of(study: Study) -> bytes:
    """The seed, whether revealed or not; it never leaves the process before the lock."""
    sealed = _seal_of(study)
    if sealed.revealed_seed:
        return bytes.fromhex(sealed.revealed_seed)
    return sealing.decrypt(bytes(sealed.encrypted_seed))


def verify(study: Study) -> list[ledger.Difference]:
    """Replay the whole ledger from the database and hold it against the audit trail.

    Raises:
        NotSealedError: there is nothing to replay.
        SealingError: no configured key opens the seed.
    """
    sealed, rows = _seal_of(study), ledger_rows(study)
    seed = seed_of(study)
    found = ledger.verify_seal(seed, sealed.protocol_sha256, sealed.generator, sealed.commitment)
    document = _sealed_version(study, sealed).document
    if ledger.sha256_of(document) != sealed.protocol_sha256:
        found.append(ledger.Difference(0, "the stored protocol is not the one that was sealed"))
    found += ledger.replay(seed, ledger.plan_of(document), rows, genesis=sealed.commitment)
    return found + _audit_differences(study, sealed, rows)


def export(study: Study) -> dict[str, Any]:
    """Everything an outsider needs to replay the trial's allocation.

    Raises:
        NotLockedError: the seed is not revealed, or the study not locked.
    """
    sealed = _seal_of(study)
    if study.state != Study.State.LOCKED or sealed.revealed_at is None:
        raise NotLockedError(f"{study.slug} is {study.state}: its ledger is exported after the lock.")
    return {
        "format": ledger.FORMAT,
        "study": study.slug,
        "generator": sealed.generator,
        "commitment": sealed.commitment,
        "protocol_sha256": sealed.protocol_sha256,
        "seed": sealed.revealed_seed,
        "sealed_at": moment(sealed.sealed_at),
        "revealed_at": moment(sealed.revealed_at),
        "protocol": _sealed_version(study, sealed).document,
        "rows": [vars(row) for row in ledger_rows(study)],
    }


def ledger_rows(study: Study) -> list[ledger.Row]:
    rows = _rows(study).select_related("participant").order_by("position")
    return [_row(study, row, row.participant.code) for row in rows]


# --- Parts --------------------------------------------------------------------------------


def _locked_study(pk: int) -> Study:
    return Study.objects.select_for_update(of=("self",)).get(pk=pk)


def _seal_of(study: Study) -> AllocationSeal:
    sealed = AllocationSeal.objects.filter(study=study).first()
    if sealed is None:
        raise NotSealedError(f"{study.slug} has no sealed seed: it was never opened.")
    return sealed


def _rows(study: Study) -> Any:
    return Allocation.objects.filter(study=study)


def _sealed_version(study: Study, sealed: AllocationSeal) -> ProtocolVersion:
    """The protocol that was sealed governs allocation to the end, whatever amendments follow.

    Its document is left in the database: it is large, and one process needs it once.
    """
    version = study.versions.filter(sha256=sealed.protocol_sha256).defer("document").first()
    if version is None:
        raise NotSealedError(f"{study.slug}: the protocol version that was sealed is gone.")
    return version


@lru_cache(maxsize=16)
def _plan(version_pk: int, sha256: str) -> Plan:
    """Sealed versions never change, so each process reads each plan once."""
    return ledger.plan_of(ProtocolVersion.objects.get(pk=version_pk, sha256=sha256).document)


def _append(study: Study, sealed: AllocationSeal, participant: Participant) -> Allocation:
    """The next row of the ledger; the caller holds the study's lock."""
    version = _sealed_version(study, sealed)
    plan = _plan(version.pk, version.sha256)
    stratum = _stratum(plan, version.protocol, participant)
    last = _rows(study).order_by("-position").first()
    choice = randomisation.choose(sealing.decrypt(bytes(sealed.encrypted_seed)), plan, _history(study), stratum)
    row = Allocation(
        study=study,
        participant=participant,
        position=last.position + 1 if last else 1,
        stratum=stratum,
        arm=choice.arm,
        inputs=choice.inputs,
        previous_hash=last.hash if last else sealed.commitment,
        at=timezone.now(),
    )
    row.hash = _row(study, row, participant.code).digest()
    row.save(force_insert=True)
    audit.record(MADE, study=study, ref=participant.code, data={"position": row.position})
    return row


def _row(study: Study, row: Allocation, code: str) -> ledger.Row:
    return ledger.Row(
        study=study.slug,
        position=row.position,
        participant=code,
        stratum=row.stratum,
        arm=row.arm,
        inputs=row.inputs,
        at=moment(row.at),
        previous_hash=row.previous_hash,
        hash=row.hash,
    )


def _history(study: Study) -> History:
    counts: dict[str, dict[str, int]] = {}
    rows = _rows(study).order_by().values_list("stratum", "arm").annotate(n=Count("pk"))
    for stratum, arm, number in rows:
        counts.setdefault(stratum, {})[arm] = number
    return History(counts)


def _stratum(plan: Plan, protocol: Protocol, participant: Participant) -> str:
    levels = ((name, _level(name, protocol, participant)) for name in plan.strata)
    return randomisation.stratum_text(levels)


def _level(name: str, protocol: Protocol, participant: Participant) -> str:
    """The submitted answer to one stratification item, if it is one of its options."""
    survey, _, code = name.partition(".")
    answers = (
        SurveyResponse.objects.filter(participant=participant, survey=survey, submitted_at__isnull=False)
        .values_list("answers", flat=True)
        .first()
    ) or {}
    if answers.get(code) not in {option.value for option in protocol.stratum_item(name).options}:
        raise StratumMissingError(f"{participant.code} has no submitted answer to {name}.")
    return str(answers[code])


def _audit_differences(study: Study, sealed: AllocationSeal, rows: list[ledger.Row]) -> list[ledger.Difference]:
    """Rows cut off the end leave a whole chain behind; the audit trail still knows them."""
    events = AuditEvent.objects.filter(study=study.slug)
    told = {e.data.get("position"): e.object_ref for e in events.filter(action=MADE)}
    kept = {row.position: row.participant for row in rows}
    found = [
        ledger.Difference(int(position or 0), "the ledger and the audit trail name different participants")
        for position in sorted(told.keys() | kept.keys(), key=lambda p: p or 0)
        if told.get(position) != kept.get(position)
    ]
    published = {e.data.get("commitment") for e in events.filter(action="allocation.sealed")}
    if published != {sealed.commitment}:
        found.append(ledger.Difference(0, "the audit trail names another commitment"))
    return found
