"""What an analysis leaves behind: scores of replies, frozen snapshots, and the runs made on them."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import models

from trial.models import Reply, Study


class ReplyScore(models.Model):
    """Expressed empathy of one submitted reply, as measured by one release of the outcome scorer."""

    reply = models.ForeignKey(Reply, on_delete=models.CASCADE, related_name="scores")
    release = models.CharField(max_length=200)
    er = models.PositiveSmallIntegerField()
    ip = models.PositiveSmallIntegerField()
    ex = models.PositiveSmallIntegerField()
    total = models.PositiveSmallIntegerField()
    expected_total = models.FloatField()
    probabilities = models.JSONField()
    scored_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["reply", "release"], name="one_score_per_release"),)

    def __str__(self) -> str:
        return f"{self.reply_id} {self.release}"


class Snapshot(models.Model):
    """Frozen data of a study: a folder of files whose manifest has this hash.

    `blinded`: arms are A and B. `scramble`: the seed with which arms were dealt out anew, for a dry run.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="snapshots")
    sha256 = models.CharField(max_length=64, unique=True)
    folder = models.CharField(max_length=200)
    blinded = models.BooleanField()
    scramble = models.BigIntegerField(null=True)
    simulated = models.BooleanField()
    participants = models.PositiveIntegerField()
    replies = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ("-created_at", "-pk")
        default_permissions = ()

    def __str__(self) -> str:
        return self.sha256[:12]

    @property
    def path(self) -> Path:
        return Path(settings.STATE_DIR) / self.folder

    @property
    def kind(self) -> str:
        """Whose arms these are, in words."""
        if self.scramble is not None:
            return f"scrambled arms (seed {self.scramble})"
        return "arms A and B" if self.blinded else "real arms"


class Analysis(models.Model):
    """One run of the plan on a snapshot, and the folder that holds its report."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="analyses")
    plan_sha256 = models.CharField(max_length=64)
    code_version = models.CharField(max_length=100)
    releases = models.JSONField(default=list)
    folder = models.CharField(max_length=200, unique=True)
    headline = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name_plural = "analyses"
        ordering = ("-created_at", "-pk")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.snapshot} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def path(self) -> Path:
        return Path(settings.STATE_DIR) / self.folder
