"""Reads of feedback requests, scoped by role."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

if TYPE_CHECKING:
    from trial.models import User

OPEN = ("queued", "running")


class FeedbackRequestQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """A participant's own; staff see totals, never rows, since a row tells the arm."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(reply__participant__user_id=user.pk)

    def open(self) -> Self:
        return self.filter(status__in=OPEN)

    def claimable(self) -> Self:
        return self.filter(status="queued").order_by("created_at")

    def lapsed(self, now: datetime) -> Self:
        """Claimed, but the lease ran out before an answer came."""
        return self.filter(status="running", lease_until__lt=now)
