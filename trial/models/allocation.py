"""The sealed seed and the hash-chained ledger of allocations: the only table that knows the arm."""

from __future__ import annotations

from django.db import models

from trial.models.append_only import AppendOnly
from trial.models.participant import Participant
from trial.models.study import Study


class AllocationSeal(models.Model):
    """The secret seed of a study and the commitment published when it opened."""

    study = models.OneToOneField(Study, on_delete=models.PROTECT, related_name="seal")
    encrypted_seed = models.BinaryField()
    commitment = models.CharField(max_length=64)
    protocol_sha256 = models.CharField(max_length=64)
    generator = models.CharField(max_length=40)
    sealed_at = models.DateTimeField()
    revealed_seed = models.CharField(max_length=64, blank=True)
    revealed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.commitment


class Allocation(AppendOnly):
    """One row of the ledger. `inputs` and the two hashes make it replayable and tamper-evident."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="allocations")
    participant = models.OneToOneField(Participant, on_delete=models.PROTECT, related_name="allocation")
    position = models.PositiveIntegerField()
    stratum = models.CharField(max_length=500, blank=True)
    arm = models.CharField(max_length=40)
    inputs = models.JSONField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        ordering = ("study_id", "position")
        constraints = (models.UniqueConstraint(fields=["study", "position"], name="one_allocation_per_position"),)
        default_permissions = ()
        permissions = (("view_allocation", "Can see which arm a participant is in"),)

    def __str__(self) -> str:
        return f"{self.study_id} #{self.position}"
