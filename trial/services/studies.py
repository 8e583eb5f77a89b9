"""The life of a study: load its protocol, open, pause, close, lock."""

from __future__ import annotations

import json
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from trial import interventions
from trial.errors import DomainError
from trial.models import Post, ProtocolVersion, Study, User
from trial.protocol import Protocol, ProtocolError, read_protocol
from trial.services import allocation, audit

# Which states each act leads from, and to.
ACTS: dict[str, tuple[frozenset[str], str]] = {
    "open": (frozenset({Study.State.DRAFT}), Study.State.OPEN),
    "pause": (frozenset({Study.State.OPEN}), Study.State.PAUSED),
    "resume": (frozenset({Study.State.PAUSED}), Study.State.OPEN),
    "close": (frozenset({Study.State.OPEN, Study.State.PAUSED}), Study.State.CLOSED),
    "lock": (frozenset({Study.State.CLOSED}), Study.State.LOCKED),
}
# What the allocation ledger pins for the whole study.
FROZEN_PARTS = ("slug", "arms", "allocation")


class StudyStateError(DomainError):
    code = "wrong_study_state"


class AmendmentError(DomainError):
    code = "amendment_refused"


@transaction.atomic
def load_protocol(*, folder: Path, actor: User | None = None) -> tuple[ProtocolVersion, bool]:
    """Store a study folder as a version of its study; loading the same content again changes nothing.

    Returns the version and whether it is new.

    Raises:
        ProtocolError: the folder is invalid.
        AmendmentError: the study is past draft and the content changed without a new version,
            or an amendment changes what the allocation ledger pins.
    """
    protocol = read_protocol(folder)
    _check_interventions(protocol, folder)
    Study.objects.get_or_create(slug=protocol.slug)
    study = Study.objects.select_for_update().get(slug=protocol.slug)
    existing = study.versions.filter(version=protocol.version).first()
    if existing and existing.sha256 == protocol.sha256:
        return existing, False
    version = _store_version(study, protocol, existing)
    _store_posts(study, protocol)
    audit.record(
        "protocol.loaded",
        actor=actor,
        label="system",
        study=study,
        ref=protocol.version,
        data={"sha256": protocol.sha256},
    )
    return version, True


def _check_interventions(protocol: Protocol, folder: Path) -> None:
    for arm in protocol.arms:
        if arm.intervention not in interventions.registered():
            raise ProtocolError(
                folder / "protocol.yaml", f"arms.{arm.code}", f"no such intervention: {arm.intervention}"
            )


def _store_version(study: Study, protocol: Protocol, existing: ProtocolVersion | None) -> ProtocolVersion:
    if study.state != Study.State.DRAFT:
        _check_amendment(study, protocol, existing)
    version, _ = ProtocolVersion.objects.update_or_create(
        study=study,
        version=protocol.version,
        defaults={
            "sha256": protocol.sha256,
            "document": json.loads(protocol.canonical_json()),
            "effective_at": timezone.now(),
        },
    )
    study.current_version = version
    study.save(update_fields=["current_version"])
    return version


def _check_amendment(study: Study, protocol: Protocol, existing: ProtocolVersion | None) -> None:
    if study.state in (Study.State.CLOSED, Study.State.LOCKED):
        raise AmendmentError(f"{study.slug} is {study.state}: its protocol can no longer change.")
    if existing:
        raise AmendmentError(
            f"{study.slug} is {study.state} and version {protocol.version} is already in use: "
            "give the changed protocol a new version."
        )
    for part in FROZEN_PARTS:
        if getattr(study.protocol, part) != getattr(protocol, part):
            raise AmendmentError(f"an amendment cannot change {part}: allocation has begun under it.")


def _store_posts(study: Study, protocol: Protocol) -> None:
    codes = [post.code for post in protocol.posts]
    study.posts.exclude(code__in=codes).update(active=False)
    rows = [
        Post(study=study, code=post.code, topic=post.topic, risk=post.risk, text=post.text) for post in protocol.posts
    ]
    Post.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["study", "code"],
        update_fields=["topic", "risk", "text", "active"],
    )


@transaction.atomic
def act(*, study: Study, name: str, actor: User | None = None) -> Study:
    """Open, pause, resume, close or lock a study.

    Opening seals the allocation seed; locking reveals it.

    Raises:
        StudyStateError: the study is not in a state that allows it.
    """
    sources, target = ACTS[name]
    study = Study.objects.select_for_update().get(pk=study.pk)
    if study.state not in sources or study.current_version is None:
        raise StudyStateError(f"{study.slug} is {study.state}: it cannot {name} now.")
    if name == "open":
        allocation.seal(study=study)
        study.opened_at = timezone.now()
    elif name == "close":
        study.closed_at = timezone.now()
    elif name == "lock":
        allocation.reveal(study=study)
        study.locked_at = timezone.now()
    study.state = target
    study.save()
    audit.record(f"study.{name}", actor=actor, label="system", study=study)
    return study
