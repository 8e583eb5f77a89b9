"""A request for feedback and all that became of it: the row is the queue, the truth and study data."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from feedback.querysets import FeedbackRequestQuerySet, SuggestionQuerySet
from ml.types import Edit, Op
from trial.models import Reply


class FeedbackRequest(models.Model):
    """One tap for feedback on one draft.

    `key` makes a repeated tap the same request; `lease_token` names the claim that may finish it;
    `error` says why there was no answer, or why an earlier attempt failed. `answered_at` is when
    the answer was first on the participant's page, `closed_at` when its suggestions could no
    longer be taken: the next request came, or the reply was sent.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        EXPIRED = "expired", "Expired"

    OPEN = (Status.QUEUED, Status.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reply = models.ForeignKey(Reply, on_delete=models.CASCADE, related_name="feedback_requests")
    key = models.CharField(max_length=64)
    text = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    outcome = models.CharField(max_length=20, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=80, blank=True)
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    seed = models.BigIntegerField()
    release = models.CharField(max_length=200, blank=True)
    scorer_release = models.CharField(max_length=200, blank=True)
    parameters = models.JSONField(default=dict)
    levels_before = models.JSONField(null=True)
    expected_before = models.FloatField(null=True)
    error = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    inference_seconds = models.FloatField(null=True)
    answered_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    objects: ClassVar[FeedbackRequestQuerySet] = FeedbackRequestQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("created_at",)
        indexes = (models.Index(fields=["status", "created_at"], name="feedback_queue"),)
        constraints = (
            models.UniqueConstraint(fields=["reply", "key"], name="one_request_per_tap"),
            models.UniqueConstraint(
                fields=["reply"],
                condition=Q(status__in=["queued", "running"]),
                name="one_open_request_per_reply",
            ),
        )

    def __str__(self) -> str:
        return f"{self.id} {self.status}"

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN


class Suggestion(models.Model):
    """One edit offered, its scores, and what became of it.

    `kept`: share of its words that stand in the submitted reply (0-1), so that used, re-worded
    and dropped suggestions can be told apart, whether or not a tap accepted them.
    """

    class State(models.TextChoices):
        STORED = "stored", "Stored, never on the page"
        SHOWN = "shown", "Shown"
        ACCEPTED = "accepted", "Accepted"
        STALE = "stale", "Tapped when its place in the text was gone"
        IGNORED = "ignored", "Ignored"

    request = models.ForeignKey(FeedbackRequest, on_delete=models.CASCADE, related_name="suggestions")
    order = models.PositiveSmallIntegerField()
    op = models.CharField(max_length=10, choices=[("insert", "Insert"), ("replace", "Replace")])
    index = models.PositiveSmallIntegerField()
    old = models.TextField(blank=True)
    new = models.TextField()
    before = models.FloatField()
    after = models.FloatField()
    safety = models.CharField(max_length=80, default="passed")
    shown_at = models.DateTimeField(null=True)
    accepted_at = models.DateTimeField(null=True)
    stale_at = models.DateTimeField(null=True)
    ignored_at = models.DateTimeField(null=True)
    flagged_at = models.DateTimeField(null=True)
    kept = models.FloatField(null=True)

    objects: ClassVar[SuggestionQuerySet] = SuggestionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("request_id", "order")
        constraints = (
            models.UniqueConstraint(fields=["request", "order"], name="one_suggestion_per_place"),
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True) | Q(stale_at__isnull=True, ignored_at__isnull=True),
                name="an_accepted_suggestion_is_nothing_else",
            ),
        )

    def __str__(self) -> str:
        return f"{self.request_id} #{self.order}"

    @property
    def is_pending(self) -> bool:
        return self.accepted_at is None and self.stale_at is None and self.ignored_at is None

    @property
    def state(self) -> str:
        """What became of it; a flag comes on top of any of these."""
        moments = (
            (self.accepted_at, self.State.ACCEPTED),
            (self.stale_at, self.State.STALE),
            (self.ignored_at, self.State.IGNORED),
            (self.shown_at, self.State.SHOWN),
        )
        return next((str(state) for moment, state in moments if moment), str(self.State.STORED))

    @property
    def edit(self) -> Edit:
        op: Op = "insert" if self.op == "insert" else "replace"
        return Edit(op=op, index=self.index, old=self.old, new=self.new, before=self.before, after=self.after)


class RefusedCandidate(models.Model):
    """A sentence that the filters kept from a participant, and why."""

    request = models.ForeignKey(FeedbackRequest, on_delete=models.CASCADE, related_name="refused")
    order = models.PositiveSmallIntegerField()
    text = models.TextField()
    reason = models.CharField(max_length=120)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["request", "order"], name="one_refusal_per_place"),)

    def __str__(self) -> str:
        return f"{self.request_id} {self.reason}"


class FeedbackFlag(models.Model):
    """A participant's complaint about what they were shown."""

    request = models.OneToOneField(FeedbackRequest, on_delete=models.CASCADE, related_name="flag")
    not_understood = models.BooleanField(default=False)
    harmful = models.BooleanField(default=False)
    other = models.CharField(max_length=1000, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.request_id)
