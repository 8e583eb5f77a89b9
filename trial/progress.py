"""A participant's way as one table: states, the moves between them, and the page each state owns.

Pure data and lookups; `trial.services.flow` performs the moves.
"""

from __future__ import annotations

from django.db import models


class State(models.TextChoices):
    SCREENING = "screening", "Screening"
    CONSENT = "consent", "Consent"
    ACCOUNT = "account", "Account"
    PRE_SURVEY = "pre_survey", "Survey before"
    TRAINING = "training", "Training"
    INSTRUCTIONS = "instructions", "Instructions"
    WRITING = "writing", "Writing"
    POST_SURVEY = "post_survey", "Survey after"
    DEBRIEF = "debrief", "Debrief"
    COMPLETED = "completed", "Completed"
    INELIGIBLE = "ineligible", "Not eligible"
    DECLINED = "declined", "Declined consent"
    WITHDRAWN = "withdrawn", "Withdrawn"
    TIMED_OUT = "timed_out", "Timed out"
    DUPLICATE = "duplicate", "Already taking part"


# In order. Allocation happens in the move from training to instructions.
WAY = (
    State.SCREENING,
    State.CONSENT,
    State.ACCOUNT,
    State.PRE_SURVEY,
    State.TRAINING,
    State.INSTRUCTIONS,
    State.WRITING,
    State.POST_SURVEY,
    State.DEBRIEF,
    State.COMPLETED,
)
ALLOCATED_FROM = State.INSTRUCTIONS
LEAVE = frozenset({State.WITHDRAWN, State.TIMED_OUT})
TERMINAL = LEAVE | {State.COMPLETED, State.INELIGIBLE, State.DECLINED, State.DUPLICATE}

MOVES: dict[State, frozenset[State]] = {
    State.SCREENING: frozenset({State.CONSENT, State.INELIGIBLE}),
    State.CONSENT: frozenset({State.ACCOUNT, State.DECLINED}),
    State.ACCOUNT: frozenset({State.PRE_SURVEY, State.DUPLICATE}),
    State.PRE_SURVEY: frozenset({State.TRAINING}),
    State.TRAINING: frozenset({State.INSTRUCTIONS}),
    State.INSTRUCTIONS: frozenset({State.WRITING}),
    State.WRITING: frozenset({State.POST_SURVEY}),
    State.POST_SURVEY: frozenset({State.DEBRIEF}),
    State.DEBRIEF: frozenset({State.COMPLETED}),
}

# URL name of the page that each state owns.
PAGES: dict[str, str] = {state: f"trial:{state}" for state in State}


def allowed(source: str, target: str) -> bool:
    """Whether a participant may move from one state to the other."""
    if target in LEAVE:
        return source not in TERMINAL
    return target in MOVES.get(State(source), frozenset())


def step(state: str) -> tuple[int, int]:
    """Which step of how many, for the progress bar; a state off the way counts as the last."""
    order = list(WAY)
    return (order.index(State(state)) + 1 if state in order else len(order)), len(order)
