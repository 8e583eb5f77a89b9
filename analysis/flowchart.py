"""The CONSORT 2025 flow of a snapshot: counted, checked, and put into boxes."""

from __future__ import annotations

import pandas as pd

from analysis.dataset import Dataset
from analysis.document import FlowBox, FlowChart
from analysis.estimators.flow import ArmFlow, Flow, Loss, consort_flow


def count(data: Dataset) -> Flow:
    """Raises FlowError when the counts do not add up."""
    people = data.disposition.merge(
        data.people[["participant", "arm", "replies", "post.submitted"]], on="participant", how="left"
    )
    people = people.assign(
        replies=people["replies"].fillna(0),
        surveyed=people["post.submitted"].astype(object).where(people["post.submitted"].notna(), other=False),
    )
    people["analysed"] = _analysed(people, data)
    return consort_flow(people, arms=data.arms, posts=data.manifest.posts_per_participant)


def _analysed(people: pd.DataFrame, data: Dataset) -> pd.Series:
    primary = data.population(data.plan.primary.population)
    return people["participant"].isin(set(primary["participant"]))


def chart(flow: Flow, labels: dict[str, str], posts: int) -> FlowChart:
    top = (
        FlowBox(
            f"Assessed for eligibility: {flow.assessed}",
            aside=(
                f"Not randomised: {flow.assessed - flow.randomised}",
                *_losses(flow.excluded),
                *([f"still on the way: {flow.before_randomisation}"] if flow.before_randomisation else []),
            ),
        ),
        FlowBox(f"Randomised: {flow.randomised}"),
    )
    return FlowChart(top, tuple(_arm(arm, labels[arm.arm], posts) for arm in flow.arms))


def _arm(arm: ArmFlow, label: str, posts: int) -> tuple[FlowBox, ...]:
    return (
        FlowBox(label, (f"Allocated: {arm.allocated}", f"Wrote at least one reply: {arm.wrote}")),
        FlowBox(
            "Follow-up",
            (
                f"Wrote all {posts} replies: {arm.all_replies}",
                f"Answered the survey after: {arm.surveyed}",
                f"Completed: {arm.completed}",
            ),
            aside=(*_losses(arm.losses), f"still taking part: {arm.in_progress}"),
        ),
        FlowBox(
            "Primary analysis",
            (f"Analysed: {arm.analysed}", f"Not analysed, no reply: {arm.not_analysed}"),
        ),
    )


def _losses(losses: tuple[Loss, ...]) -> tuple[str, ...]:
    return tuple(f"{loss.reason}: {loss.n}" for loss in losses if loss.n)
