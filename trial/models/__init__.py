"""The nouns of a trial."""

from trial.models.allocation import Allocation, AllocationSeal
from trial.models.audit import AuditEvent, AuditHead
from trial.models.participant import (
    ConsentRecord,
    Participant,
    Reply,
    StateChange,
    SurveyResponse,
    TrainingCheck,
    Withdrawal,
)
from trial.models.safety import SafetyEvent
from trial.models.study import Post, ProtocolVersion, Study
from trial.models.user import User

__all__ = [
    "Allocation",
    "AllocationSeal",
    "AuditEvent",
    "AuditHead",
    "ConsentRecord",
    "Participant",
    "Post",
    "ProtocolVersion",
    "Reply",
    "SafetyEvent",
    "StateChange",
    "Study",
    "SurveyResponse",
    "TrainingCheck",
    "User",
    "Withdrawal",
]
