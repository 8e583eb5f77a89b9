"""Reads, scoped by role: a queryset carries the permission so that a view cannot forget it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

from trial import progress

if TYPE_CHECKING:
    from trial.models import Participant, Reply, SafetyEvent, User  # noqa: F401  # named in the bases below


class ParticipantQuerySet(models.QuerySet["Participant"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Their own rows for a participant; all for staff who watch the trial; none otherwise."""
        if not user.is_authenticated:
            return self.none()
        if user.has_perm("trial.view_participant"):
            return self
        return self.filter(user_id=user.pk)

    def real(self) -> Self:
        return self.filter(simulated=False)

    def active(self) -> Self:
        return self.exclude(state__in=progress.TERMINAL)


class ReplyQuerySet(models.QuerySet["Reply"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Only the writer's own; staff read replies through blinded listings, never from here."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(participant__user_id=user.pk)

    def submitted(self) -> Self:
        return self.filter(submitted_at__isnull=False)


class SafetyEventQuerySet(models.QuerySet["SafetyEvent"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        if user.is_authenticated and user.has_perm("trial.view_safetyevent"):
            return self
        return self.none()

    def unacknowledged(self) -> Self:
        return self.filter(acknowledged_at__isnull=True)
