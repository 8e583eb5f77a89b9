"""A participant and everything they gave: consent, answers, replies."""

from __future__ import annotations

import secrets
from typing import ClassVar

from django.conf import settings
from django.db import models

from trial import progress
from trial.models.study import Post, ProtocolVersion, Study
from trial.protocol import Protocol
from trial.querysets import ParticipantQuerySet, ReplyQuerySet

# No vowels and no look-alikes: codes are read aloud and must not spell words.
CODE_ALPHABET = "BCDFGHJKMNPQRTVWXYZ2346789"


def new_code() -> str:
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(8))


class Participant(models.Model):
    """Somebody taking part in a study, under a random code; the account is a link that can be cut."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="participants")
    version = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=8, unique=True, default=new_code)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="participations"
    )
    state = models.CharField(max_length=20, choices=progress.State, default=progress.State.SCREENING)
    source = models.CharField(max_length=40, blank=True)
    country = models.CharField(max_length=2, blank=True)
    training_page = models.PositiveSmallIntegerField(default=0)
    simulated = models.BooleanField(default=False)
    started_at = models.DateTimeField(auto_now_add=True)
    last_seen_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)

    objects: ClassVar[ParticipantQuerySet] = ParticipantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = (models.UniqueConstraint(fields=["study", "user"], name="one_participation_per_account"),)

    def __str__(self) -> str:
        return self.code

    @property
    def protocol(self) -> Protocol:
        return self.version.protocol

    @property
    def is_active(self) -> bool:
        return self.state not in progress.TERMINAL


class StateChange(models.Model):
    """When a participant entered each state: the CONSORT flow is counted from these rows."""

    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="changes")
    state = models.CharField(max_length=20, choices=progress.State)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=["participant", "state"], name="state_entered_once"),)

    def __str__(self) -> str:
        return f"{self.participant_id} {self.state}"


class ConsentRecord(models.Model):
    """What one person was asked and what they decided, by document version and hash."""

    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="consents")
    version = models.CharField(max_length=40)
    document_sha256 = models.CharField(max_length=64)
    agreed = models.BooleanField()
    statements = models.JSONField(default=list)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["participant", "version"], name="one_decision_per_consent"),)

    def __str__(self) -> str:
        return f"{self.participant_id} {self.version} {'agreed' if self.agreed else 'declined'}"


class SurveyResponse(models.Model):
    """Answers to one survey; a draft until `submitted_at` is set."""

    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="responses")
    survey = models.CharField(max_length=40)
    answers = models.JSONField(default=dict)
    saved_at = models.DateTimeField(auto_now=True)
    submitted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["participant", "survey"], name="one_response_per_survey"),)

    def __str__(self) -> str:
        return f"{self.participant_id} {self.survey}"


class TrainingCheck(models.Model):
    """One attempt at a comprehension check."""

    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="checks")
    page = models.CharField(max_length=40)
    answer = models.CharField(max_length=40)
    correct = models.BooleanField()
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.participant_id} {self.page}"


class Reply(models.Model):
    """A participant's reply to the post at one position; a draft until `submitted_at` is set.

    `revision` counts saves and `saved_by` names the window that saved last, so that another
    window can be told that it is behind.
    """

    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="replies")
    post = models.ForeignKey(Post, on_delete=models.PROTECT, related_name="replies")
    position = models.PositiveSmallIntegerField()
    text = models.TextField(blank=True)
    revision = models.PositiveIntegerField(default=0)
    saved_by = models.CharField(max_length=32, blank=True)
    first_shown_at = models.DateTimeField(null=True)
    saved_at = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField(null=True)

    objects: ClassVar[ReplyQuerySet] = ReplyQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name_plural = "replies"
        ordering = ("participant_id", "position")
        constraints = (
            models.UniqueConstraint(fields=["participant", "position"], name="one_reply_per_position"),
            models.UniqueConstraint(fields=["participant", "post"], name="one_reply_per_post"),
        )

    def __str__(self) -> str:
        return f"{self.participant_id} #{self.position}"


class Withdrawal(models.Model):
    """A participant's decision to leave, and what happens to what they gave."""

    class Kind(models.TextChoices):
        STOP = "stop", "Stop; keep what I gave"
        ERASE = "erase", "Stop and erase what I gave"

    participant = models.OneToOneField(Participant, on_delete=models.CASCADE, related_name="withdrawal")
    kind = models.CharField(max_length=10, choices=Kind)
    reason = models.CharField(max_length=500, blank=True)
    at_state = models.CharField(max_length=20, choices=progress.State)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.participant_id} {self.kind}"
