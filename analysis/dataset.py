"""A snapshot as the estimators want it: people and replies with their arm, from verified files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.errors import SnapshotError
from analysis.estimators.means import participant_means
from analysis.estimators.values import Arms
from analysis.plan import Plan, PlannedAnalysis, Success
from analysis.snapshot import Manifest, read_manifest


@dataclass(frozen=True)
class Dataset:
    """`people` has one row per randomised participant, `replies` one per scored reply."""

    manifest: Manifest
    plan: Plan
    people: pd.DataFrame
    replies: pd.DataFrame
    disposition: pd.DataFrame
    exposure: pd.DataFrame | None
    codebook: dict[str, dict[str, Any]]

    @property
    def arms(self) -> Arms:
        """Codes, reference first."""
        first, second = self.manifest.arms
        return first.code, second.code

    @property
    def labels(self) -> dict[str, str]:
        return {arm.code: arm.label for arm in self.manifest.arms}

    def population(self, name: str) -> pd.DataFrame:
        """The people of one population of the plan."""
        needs = self.plan.populations[name].needs
        if needs == "reply":
            return self.people[self.people["replies"] > 0]
        if needs == "post_survey":
            return self.people[self.people["post.submitted"].astype(bool)]
        return self.people

    def with_means(self, analysis: PlannedAnalysis) -> pd.DataFrame:
        """The population with `y`, each participant's mean of the outcome over their replies."""
        people = self.population(analysis.population)
        replies = self.replies_of(analysis)
        if analysis.missing == "zero":
            totals = replies.groupby("participant")["score"].sum() / self.manifest.posts_per_participant
            return people.assign(y=people["participant"].map(totals).fillna(0.0))
        means = participant_means(replies, arms=self.arms, adjust_posts=analysis.posts == "adjusted")
        return people.assign(y=people["participant"].map(means))

    def replies_of(self, analysis: PlannedAnalysis) -> pd.DataFrame:
        """Replies of the population, `score` being the outcome, with the people's covariates."""
        people = self.population(analysis.population)
        wanted = ["participant", *(c for c in analysis.covariates if c in people)]
        replies = self.replies.assign(score=self.replies[analysis.outcome].astype(float))
        return replies.merge(people[wanted], on="participant", suffixes=("", "_"))

    def with_answers(self, analysis: PlannedAnalysis) -> pd.DataFrame:
        """The population with `y`, the survey outcome as a number."""
        people = self.population(analysis.population)
        return people.assign(y=pd.to_numeric(people[analysis.outcome]))

    def with_yes(self, analysis: PlannedAnalysis) -> pd.DataFrame:
        """The population with `yes`, whether the answer counts as a success; missing stays missing."""
        assert analysis.success is not None
        people = self.population(analysis.population)
        return people.assign(yes=is_success(people[analysis.outcome], analysis.success))

    def with_subgroup(self, people: pd.DataFrame) -> pd.DataFrame:
        """`inside`: whether the participant belongs to the plan's subgroup."""
        rule = Success(values=self.plan.subgroup.values)
        return people.assign(inside=is_success(people[self.plan.subgroup.variable], rule))


def is_success(answers: pd.Series, rule: Success) -> pd.Series:
    """1 where the answer counts, 0 where it does not, missing where there is none."""
    if rule.minimum is not None:
        yes = pd.to_numeric(answers) >= rule.minimum
    else:
        yes = answers.astype(object).isin(rule.values)
    return yes.astype(float).where(answers.notna())


def load(folder: Path) -> Dataset:
    """Read a snapshot after verifying every hash in it.

    Raises:
        SnapshotError: it is missing, altered or holds no participant.
    """
    manifest = read_manifest(folder)
    plan = Plan.model_validate_json((folder / "plan.json").read_bytes())
    if plan.sha256 != manifest.plan_sha256:
        raise SnapshotError(f"{folder / 'plan.json'} is not the plan that the manifest names.")
    frames = {
        name.removesuffix(".parquet"): pd.read_parquet(folder / name)
        for name in manifest.files
        if name.endswith(".parquet")
    }
    replies = _replies(frames)
    return Dataset(
        manifest=manifest,
        plan=plan,
        people=_people(frames, replies),
        replies=replies,
        disposition=frames["disposition"],
        exposure=frames.get("exposure"),
        codebook=_codebook(folder),
    )


def _codebook(folder: Path) -> dict[str, dict[str, Any]]:
    """What each survey variable means, by name."""
    entries = json.loads((folder / "codebook.json").read_text(encoding="utf-8"))["surveys"]
    return {entry["column"]: entry for entry in entries}


def _replies(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    arms = frames["participants"][["participant", "arm", "stratum"]]
    return (
        frames["replies"]
        .merge(frames["scores"], on=["participant", "post"])
        .merge(arms[["participant", "arm"]], on="participant")
    )


def _people(frames: dict[str, pd.DataFrame], replies: pd.DataFrame) -> pd.DataFrame:
    people = frames["participants"].merge(frames["surveys"], on="participant", how="left")
    counts = replies.groupby("participant").size()
    return people.assign(replies=people["participant"].map(counts).fillna(0).astype(int))
