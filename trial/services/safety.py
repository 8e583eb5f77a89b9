"""When what a participant writes worries the screen: record it, tell the safety officer, never block.

The same screen runs on the same texts in every arm.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ml.safety import crisis
from trial.models import Participant, Reply, SafetyEvent, User
from trial.services import audit


@transaction.atomic
def screen(*, participant: Participant, text: str, place: str, reply: Reply | None = None) -> SafetyEvent | None:
    """Screen a text; one event per place, however often the text is saved. Returns the event, if any."""
    hit = crisis.screen(text)
    if hit is None:
        return None
    event, created = SafetyEvent.objects.get_or_create(
        participant=participant,
        place=place,
        defaults={"reply": reply, "categories": list(hit.categories), "screen_release": crisis.RELEASE},
    )
    if created:
        audit.record(
            "safety.event",
            label="system",
            study=participant.study,
            ref=participant.code,
            data={"place": place, "categories": list(hit.categories)},
        )
        _notify(event)
    return event


def _notify(event: SafetyEvent) -> None:
    from trial.tasks import notify_safety_officers

    # robust: a broker that is down must not turn a saved reply into an error page.
    transaction.on_commit(lambda: notify_safety_officers.delay(event.pk), robust=True)


@transaction.atomic
def acknowledge(*, event: SafetyEvent, actor: User, note: str) -> bool:
    """Acknowledge once, with what was done; False when somebody already had."""
    updated = SafetyEvent.objects.filter(pk=event.pk, acknowledged_at__isnull=True).update(
        acknowledged_at=timezone.now(), acknowledged_by=actor, note=note[:1000]
    )
    if updated:
        audit.record(
            "safety.acknowledged",
            actor=actor,
            study=event.participant.study,
            ref=event.participant.code,
            data={"place": event.place},
        )
    return bool(updated)


def officers() -> QuerySet[User]:
    return User.objects.filter(is_active=True, groups__name="safety_officer")
