"""Write and verify the audit trail: one HMAC-SHA256 chain over every write that matters.

`record` takes the lock that puts all events in one order and holds it until the transaction
ends, so call it after every other lock of the transaction, or PostgreSQL may see a deadlock.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from trial.canonical import canonical_json, moment
from trial.errors import DomainError
from trial.models.audit import GENESIS, AuditEvent, AuditHead
from trial.models.study import Study
from trial.models.user import User

PURPOSE = b"attune.audit.chain.v1"
MAX_VALUE = 200
MAX_ITEMS = 50
MAX_NUMBER = 1e15  # beyond it PostgreSQL hands a float back as an integer, and the hash would differ
FORBIDDEN_KEYS = frozenset(
    {"text", "email", "arm", "arms", "reply", "intervention", "stratum", "answer", "answers", "seed"}
)
ACTION = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)+")
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class AuditRefusedError(DomainError):
    """The event would carry what the audit trail must never hold, or could be lost."""

    code = "audit_refused"


@dataclass(frozen=True)
class Break:
    """Where the chain does not hold, and why."""

    seq: int
    reason: str


def record(
    action: str,
    *,
    actor: User | None = None,
    label: str = "",
    study: Study | None = None,
    ref: str = "",
    data: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Append one event inside the caller's transaction.

    Staff are named by address; a participant's account never is, so that erasing it leaves no trace.

    Raises:
        AuditRefusedError: no transaction, a malformed action, or data that could be a text,
            an address or an arm.
    """
    facts = _facts(action, ref, data or {})
    if not transaction.get_connection().in_atomic_block:
        raise AuditRefusedError(f"{action}: an event is recorded in the transaction of what it tells")
    head, _ = AuditHead.objects.select_for_update().get_or_create(pk=1)
    event = AuditEvent(
        seq=head.seq + 1,
        at=timezone.now(),
        actor_id=str(actor.pk) if actor and actor.is_staff else "",
        actor=_name(actor, label),
        study=study.slug if study else "",
        previous_hash=head.hash,
        **facts,
    )
    event.hash = _hash(event, _key(settings.SECRET_KEY))
    event.save(force_insert=True)
    head.seq, head.hash = event.seq, event.hash
    head.save(update_fields=["seq", "hash"])
    return event


def breaks(*, anchors: Mapping[int, str] | None = None) -> Iterator[Break]:
    """Walk the whole chain; `anchors` are hashes by number that were kept outside the database."""
    keys = [_key(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    waiting = dict(anchors or {})
    seq, previous = 0, GENESIS
    for event in AuditEvent.objects.order_by("seq").iterator(chunk_size=2000):
        reasons = list(_faults(event, seq + 1, previous, keys))
        if waiting.pop(event.seq, event.hash) != event.hash:
            reasons.append("is not what the anchor kept outside says")
        yield from (Break(event.seq, reason) for reason in reasons)
        seq, previous = event.seq, event.hash
    yield from (Break(number, "is gone, but an anchor kept outside names it") for number in sorted(waiting))
    yield from _head_faults(seq, previous)


def head() -> tuple[int, str]:
    """Number and hash of the newest event: the anchor to keep outside the database."""
    row = AuditHead.objects.filter(pk=1).first()
    return (row.seq, row.hash) if row else (0, GENESIS)


def _facts(action: str, ref: str, data: Mapping[str, Any]) -> dict[str, Any]:
    if not ACTION.fullmatch(action) or len(action) > 60:
        raise AuditRefusedError(f"{action!r} is no dotted action name")
    if len(ref) > 80 or ADDRESS.search(ref):
        raise AuditRefusedError(f"{action}: the reference is too long or an address")
    return {"action": action, "object_ref": ref, "data": {k: _value(action, k, v) for k, v in data.items()}}


def _value(action: str, key: str, value: Any) -> Any:
    """A scalar, or a short list of them, in the form that every database hands back unchanged."""
    if not isinstance(key, str) or key.lower() in FORBIDDEN_KEYS or len(key) > 60:
        raise AuditRefusedError(f"{action}: {key!r} must not be in the audit trail")
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        if len(items) > MAX_ITEMS:
            raise AuditRefusedError(f"{action}: {key} holds more than {MAX_ITEMS} values")
        return [_scalar(action, key, item) for item in items]
    return _scalar(action, key, value)


def _scalar(action: str, key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _short(action, key, str(value))
    if isinstance(value, int | float) and math.isfinite(value) and abs(value) < MAX_NUMBER:
        return value + 0  # -0.0 comes back from PostgreSQL as 0.0
    raise AuditRefusedError(f"{action}: {key} is neither a short text, a number, a truth value nor None")


def _short(action: str, key: str, value: str) -> str:
    if len(value) > MAX_VALUE or "\0" in value or ADDRESS.search(value):
        raise AuditRefusedError(f"{action}: {key} is longer than {MAX_VALUE} characters or an address")
    return value


def _name(actor: User | None, label: str) -> str:
    if actor is None:
        return label or "system"
    return actor.email if actor.is_staff else (label or "participant")


def _key(secret: str | bytes) -> bytes:
    raw = secret.encode() if isinstance(secret, str) else secret
    return hmac.new(raw, PURPOSE, hashlib.sha256).digest()


def _hash(event: AuditEvent, key: bytes) -> str:
    facts = {
        "seq": event.seq,
        "at": moment(event.at),
        "actor_id": event.actor_id,
        "actor": event.actor,
        "study": event.study,
        "action": event.action,
        "object_ref": event.object_ref,
        "data": event.data,
        "previous_hash": event.previous_hash,
    }
    return hmac.new(key, canonical_json(facts).encode(), hashlib.sha256).hexdigest()


def _faults(event: AuditEvent, seq: int, previous: str, keys: Iterable[bytes]) -> Iterator[str]:
    if event.seq != seq:
        yield f"follows #{seq - 1}: events between them are gone"
    elif event.previous_hash != previous:
        yield "does not continue from the event before"
    if not any(hmac.compare_digest(_hash(event, key), event.hash) for key in keys):
        yield "was changed after it was written, or the key is another"


def _head_faults(seq: int, last: str) -> Iterator[Break]:
    kept, hash_ = head()
    if kept > seq:
        yield Break(seq + 1, f"is gone: the chain once ended at #{kept}")
    elif (kept, hash_) != (seq, last):
        yield Break(seq, "is not the event that the head of the chain names")
