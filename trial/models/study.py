"""A study, the versions of its protocol, and its posts."""

from __future__ import annotations

from functools import lru_cache

from django.db import models

from trial import protocol as schema


class Study(models.Model):
    """One trial. Its content is in its protocol versions; this row holds its state."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        OPEN = "open", "Open"
        PAUSED = "paused", "Paused"
        CLOSED = "closed", "Closed"
        LOCKED = "locked", "Locked"

    slug = models.SlugField(unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    current_version = models.ForeignKey("ProtocolVersion", on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    opened_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    locked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "studies"

    def __str__(self) -> str:
        return self.slug

    @property
    def protocol(self) -> schema.Protocol:
        assert self.current_version is not None
        return self.current_version.protocol

    @property
    def is_recruiting(self) -> bool:
        return self.state == self.State.OPEN

    @property
    def is_running(self) -> bool:
        """Whether people already taking part may go on."""
        return self.state in (self.State.OPEN, self.State.PAUSED)


class ProtocolVersion(models.Model):
    """One frozen version of a protocol, whole and self-contained."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="versions")
    version = models.CharField(max_length=40)
    sha256 = models.CharField(max_length=64)
    document = models.JSONField()
    loaded_at = models.DateTimeField(auto_now_add=True)
    effective_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["study", "version"], name="one_row_per_version"),)

    def __str__(self) -> str:
        return f"{self.study_id} {self.version}"

    @property
    def protocol(self) -> schema.Protocol:
        assert self.pk is not None
        return _parsed(self.pk, self.sha256)


@lru_cache(maxsize=16)
def _parsed(pk: int, sha256: str) -> schema.Protocol:
    """Versions never change, so each process parses each once."""
    return schema.parse_protocol(ProtocolVersion.objects.get(pk=pk).document)


class Post(models.Model):
    """A seeker post of a study's sandbox."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="posts")
    code = models.CharField(max_length=40)
    topic = models.CharField(max_length=60)
    risk = models.CharField(max_length=10)
    text = models.TextField()
    active = models.BooleanField(default=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["study", "code"], name="post_code_unique"),)

    def __str__(self) -> str:
        return self.code
