"""The audit trail: append-only, hash-chained, with the actor copied so that it outlives the account."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from django.db import models

APPEND_ONLY = "The audit trail is append-only: an event is neither changed nor deleted."
GENESIS = "0" * 64


class AuditHead(models.Model):
    """The end of the chain; its row lock puts concurrent events in one order."""

    seq = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, default=GENESIS)

    def __str__(self) -> str:
        return f"#{self.seq}"


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    """Reads as usual; every bulk write but `record`'s own insert is refused."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError(APPEND_ONLY)

    def delete(self) -> NoReturn:
        raise TypeError(APPEND_ONLY)

    def bulk_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(APPEND_ONLY)

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(APPEND_ONLY)


class AuditEvent(models.Model):
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

    objects: ClassVar[models.Manager[AuditEvent]] = AuditEventQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("seq",)

    def __str__(self) -> str:
        return f"#{self.seq} {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError(APPEND_ONLY)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(APPEND_ONLY)
