"""Domain errors of the analysis."""

from __future__ import annotations

from trial.errors import DomainError


class PlanError(DomainError):
    """The statistical analysis plan is invalid, or names what the study does not have."""

    code = "invalid_plan"


class SnapshotError(DomainError):
    """A snapshot is missing, altered, or cannot be taken."""

    code = "invalid_snapshot"


class NothingToFreezeError(SnapshotError):
    """Nobody has been randomised yet, so there is nothing to analyse."""

    code = "nothing_to_freeze"
