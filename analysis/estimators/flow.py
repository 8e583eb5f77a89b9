"""The CONSORT 2025 flow counted from people, with its arithmetic checked: in = out + losses."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

LEFT = {"withdrawn": "withdrew", "timed_out": "stopped coming back"}
EXCLUDED = {
    "ineligible": "not eligible",
    "declined": "declined to take part",
    "duplicate": "already taking part",
}
STEPS = ("instructions", "writing", "post_survey", "debrief", "completed")


class FlowError(Exception):
    """The counts of the flow do not add up: the data contradict themselves."""


@dataclass(frozen=True)
class Loss:
    reason: str
    n: int


@dataclass(frozen=True)
class ArmFlow:
    """One arm, from allocation to analysis."""

    arm: str
    allocated: int
    wrote: int
    all_replies: int
    surveyed: int
    completed: int
    losses: tuple[Loss, ...]
    in_progress: int
    analysed: int
    not_analysed: int


@dataclass(frozen=True)
class Flow:
    """The whole flow."""

    assessed: int
    excluded: tuple[Loss, ...]
    before_randomisation: int
    randomised: int
    arms: tuple[ArmFlow, ...]


def consort_flow(people: pd.DataFrame, *, arms: tuple[str, ...], posts: int) -> Flow:
    """Count everybody who started.

    Columns of `people`: arm (missing before allocation), state, replies, surveyed, analysed.

    Raises:
        FlowError: some count is not the sum of its parts.
    """
    outside = people[people["arm"].isna()]
    excluded = _excluded(outside)
    flow = Flow(
        assessed=len(people),
        excluded=excluded,
        before_randomisation=len(outside) - sum(loss.n for loss in excluded),
        randomised=int(people["arm"].notna().sum()),
        arms=tuple(_arm_flow(people[people["arm"] == arm], arm, posts) for arm in arms),
    )
    check(flow)
    return flow


def _excluded(outside: pd.DataFrame) -> tuple[Loss, ...]:
    reasons = EXCLUDED | {state: f"{words} before randomisation" for state, words in LEFT.items()}
    counts = outside["state"].value_counts()
    return tuple(Loss(words, int(counts.get(state, 0))) for state, words in reasons.items())


def _arm_flow(people: pd.DataFrame, arm: str, posts: int) -> ArmFlow:
    counts = people["state"].value_counts()
    losses = tuple(Loss(words, int(counts.get(state, 0))) for state, words in LEFT.items())
    completed = int(counts.get("completed", 0))
    in_progress = sum(int(counts.get(step, 0)) for step in STEPS[:-1])
    return ArmFlow(
        arm=arm,
        allocated=len(people),
        wrote=int((people["replies"] > 0).sum()),
        all_replies=int((people["replies"] >= posts).sum()),
        surveyed=int(people["surveyed"].sum()),
        completed=completed,
        losses=losses,
        in_progress=in_progress,
        analysed=int(people["analysed"].sum()),
        not_analysed=int((~people["analysed"].astype(bool)).sum()),
    )


def check(flow: Flow) -> None:
    """Raises FlowError where people appear or vanish."""
    _equal(
        "assessed",
        flow.assessed,
        flow.randomised + sum(x.n for x in flow.excluded) + flow.before_randomisation,
    )
    _equal("randomised", flow.randomised, sum(arm.allocated for arm in flow.arms))
    for arm in flow.arms:
        _equal(f"arm {arm.arm}", arm.allocated, arm.completed + arm.in_progress + sum(x.n for x in arm.losses))
        _equal(f"arm {arm.arm} analysed", arm.allocated, arm.analysed + arm.not_analysed)
        if not arm.all_replies <= arm.wrote <= arm.allocated:
            raise FlowError(f"arm {arm.arm}: more people wrote than were allocated")


def _equal(what: str, whole: int, parts: int) -> None:
    if whole != parts:
        raise FlowError(f"{what}: {whole} people, but the parts add up to {parts}")
