"""Safety events: something a participant wrote worried the screen."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from trial.models.participant import Participant, Reply
from trial.querysets import SafetyEventQuerySet


class SafetyEvent(models.Model):
    """One hit of the screen; the text stays in the reply or survey that it points at."""

    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="safety_events")
    reply = models.ForeignKey(Reply, on_delete=models.CASCADE, null=True, related_name="safety_events")
    place = models.CharField(max_length=60)
    categories = models.JSONField(default=list)
    screen_release = models.CharField(max_length=80)
    at = models.DateTimeField(auto_now_add=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    note = models.CharField(max_length=1000, blank=True)

    objects: ClassVar[SafetyEventQuerySet] = SafetyEventQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-at",)
        constraints = (models.UniqueConstraint(fields=["participant", "place"], name="one_safety_event_per_place"),)

    def __str__(self) -> str:
        return f"{self.participant_id} {self.place}"
