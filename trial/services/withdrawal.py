"""Leaving the study: stop and keep what was given, or stop and erase it."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from trial.models import Participant, Withdrawal
from trial.progress import State
from trial.services import audit, flow


@transaction.atomic
def withdraw(*, participant: Participant, kind: str, reason: str = "") -> Participant:
    """Withdraw a participant; a second call changes nothing, but may still turn stop into erase.

    Erasing deletes replies, survey answers, training answers and safety records, and cuts the
    link to the account. The code, consent and allocation stay: the ledger must stay whole.
    """
    participant = flow.lock(participant)
    if participant.is_active:
        Withdrawal.objects.create(participant=participant, kind=kind, reason=reason[:500], at_state=participant.state)
        flow.move(participant, State.WITHDRAWN)
    if kind == Withdrawal.Kind.ERASE and participant.erased_at is None:
        _erase(participant)
    return participant


def _erase(participant: Participant) -> None:
    for rows in (participant.replies, participant.responses, participant.checks, participant.safety_events):
        rows.all().delete()
    Withdrawal.objects.filter(participant=participant).update(kind=Withdrawal.Kind.ERASE, reason="")
    user = participant.user
    participant.user = None
    participant.country = ""
    participant.erased_at = timezone.now()
    participant.save(update_fields=["user", "country", "erased_at"])
    if user is not None and not user.is_staff and not user.participations.exists():
        user.delete()
    audit.record("participant.erased", label="participant", study=participant.study, ref=participant.code)
