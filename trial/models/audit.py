"""The audit trail: append-only, hash-chained, with the actor copied so that it outlives the account."""

from __future__ import annotations

from django.db import models

from trial.models.append_only import AppendOnly

GENESIS = "0" * 64


class AuditHead(models.Model):
    """The end of the chain; its row lock puts concurrent events in one order."""

    seq = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, default=GENESIS)

    def __str__(self) -> str:
        return f"#{self.seq}"


class AuditEvent(AppendOnly):
    """One write that mattered: who, what, on what, when. Never a text, an address or an arm."""

    seq = models.PositiveBigIntegerField(unique=True)
    at = models.DateTimeField()
    actor_id = models.CharField(max_length=40, blank=True)
    actor = models.CharField(max_length=254)
    study = models.CharField(max_length=50, blank=True)
    action = models.CharField(max_length=60)
    object_ref = models.CharField(max_length=80, blank=True)
    data = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ("seq",)

    def __str__(self) -> str:
        return f"#{self.seq} {self.action}"
