"""Reads of feedback requests and suggestions, scoped by role."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

if TYPE_CHECKING:
    from trial.models import Reply, User

OPEN = ("queued", "running")


class FeedbackRequestQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """A participant's own; staff see totals, never rows, since a row tells the arm."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(reply__participant__user_id=user.pk)

    def open(self) -> Self:
        return self.filter(status__in=OPEN)

    def latest_of(self, reply: Reply) -> Self:
        """The requests of a reply, newest first."""
        return self.filter(reply=reply).order_by("-created_at", "-pk")

    def with_policy(self) -> Self:
        """With all that a request needs to know its post and its protocol's feedback policy."""
        return self.select_related("reply__post", "reply__participant__version", "reply__participant__study")

    def claimable(self) -> Self:
        return self.filter(status="queued").order_by("created_at")

    def lapsed(self, now: datetime) -> Self:
        """Claimed, but the lease ran out before an answer came."""
        return self.filter(status="running", lease_until__lt=now)


class SuggestionQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        if not user.is_authenticated:
            return self.none()
        return self.filter(request__reply__participant__user_id=user.pk)

    def pending(self) -> Self:
        return self.filter(accepted_at__isnull=True, stale_at__isnull=True, ignored_at__isnull=True)

    def shown_for(self, reply: Reply) -> set[str]:
        """The sentences that this reply's writer has been shown."""
        return set(self.filter(request__reply=reply, shown_at__isnull=False).values_list("new", flat=True))
