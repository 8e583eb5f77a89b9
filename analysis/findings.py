"""Runs every analysis of the plan on a dataset: a result each, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from analysis.ard import Number, Source
from analysis.dataset import Dataset
from analysis.estimators import (
    NotEstimableError,
    ancova_means,
    clustered_posts,
    difference_in_proportions,
    one_proportion,
    ratio_of_means,
    subgroup_interaction,
)
from analysis.estimators.values import (
    ArmMean,
    MeansResult,
    Proportion,
    ProportionsResult,
    RatioResult,
    SubgroupResult,
)
from analysis.plan import REPLY_OUTCOMES, PlannedAnalysis
from analysis.words import Result

METHODS = {
    "ancova_means": "ANCOVA on participant means, HC2 errors, t with n − p degrees of freedom",
    "ratio_of_means": "Ratio of means, delta method on the log scale",
    "subgroup_interaction": "ANCOVA on participant means with arm by subgroup, HC2 errors",
    "clustered_posts": "Least squares on replies, post as fixed effect, errors clustered by participant",
    "survey_ancova": "ANCOVA, HC2 errors, t with n − p degrees of freedom",
    "difference_in_proportions": "Difference in proportions, Newcombe's interval, chi-squared test",
    "one_proportion": "Proportion, Wilson's interval",
}
HELD_BACK = (
    "Only one arm is asked this. Even the number of answers could tell the arms apart, "
    "so it is held back until the study is locked."
)


@dataclass(frozen=True)
class Finding:
    """One planned analysis and what came of it: `result`, or `problem` for people to read."""

    analysis: PlannedAnalysis
    result: Result | None
    problem: str = ""
    available: dict[str, int] = field(default_factory=dict)

    @property
    def method(self) -> str:
        return METHODS[self.analysis.method]


def evaluate(data: Dataset) -> list[Finding]:
    """All findings, in the order of the plan."""
    return [_finding(data, analysis) for analysis in data.plan.analyses]


def _finding(data: Dataset, analysis: PlannedAnalysis) -> Finding:
    available = {arm: int((data.people["arm"] == arm).sum()) for arm in data.arms}
    try:
        return Finding(analysis, RUN[analysis.method](data, analysis), available=available)
    except NotEstimableError as reason:
        return Finding(analysis, None, str(reason), available)


# --- One runner for each method -----------------------------------------------------------


def _ancova_means(data: Dataset, analysis: PlannedAnalysis) -> Result:
    people = data.with_means(analysis)
    return ancova_means(people, covariates=analysis.covariates, **_common(data))


def _ratio(data: Dataset, analysis: PlannedAnalysis) -> Result:
    return ratio_of_means(data.with_means(analysis), covariates=analysis.covariates, **_common(data))


def _subgroup(data: Dataset, analysis: PlannedAnalysis) -> Result:
    people = data.with_subgroup(data.with_means(analysis))
    return subgroup_interaction(people, covariates=analysis.covariates, **_common(data))


def _clustered(data: Dataset, analysis: PlannedAnalysis) -> Result:
    return clustered_posts(data.replies_of(analysis), covariates=analysis.covariates, **_common(data))


def _survey(data: Dataset, analysis: PlannedAnalysis) -> Result:
    adjust = [*([analysis.baseline] if analysis.baseline else []), *analysis.covariates]
    return ancova_means(data.with_answers(analysis), covariates=adjust, **_common(data))


def _proportions(data: Dataset, analysis: PlannedAnalysis) -> Result:
    return difference_in_proportions(data.with_yes(analysis), **_common(data))


def _one_proportion(data: Dataset, analysis: PlannedAnalysis) -> Result:
    if analysis.outcome not in data.people:
        raise NotEstimableError(HELD_BACK)
    people = data.with_yes(analysis).dropna(subset=["yes"])
    asked = str(people["arm"].iloc[0]) if len(people) else ""
    return one_proportion(people["yes"], arm=asked, level=data.plan.level, minimum=data.plan.minimum_per_arm)


def _common(data: Dataset) -> dict[str, Any]:
    return {"arms": data.arms, "level": data.plan.level, "minimum": data.plan.minimum_per_arm}


RUN: dict[str, Callable[[Dataset, PlannedAnalysis], Result]] = {
    "ancova_means": _ancova_means,
    "ratio_of_means": _ratio,
    "subgroup_interaction": _subgroup,
    "clustered_posts": _clustered,
    "survey_ancova": _survey,
    "difference_in_proportions": _proportions,
    "one_proportion": _one_proportion,
}


# --- Findings as numbers ------------------------------------------------------------------


def unit_of(data: Dataset, analysis: PlannedAnalysis) -> str:
    if analysis.success is not None:
        return "share"
    if analysis.outcome in REPLY_OUTCOMES:
        low, high = (0, 2) if analysis.outcome in ("er", "ip", "ex") else (0, 6)
    else:
        low, high = data.codebook[analysis.outcome].get("range", (1, 7))
    return f"points on a scale of {low} to {high}"


def numbers(data: Dataset, finding: Finding) -> Iterator[Number]:
    """Every number of a finding for the results dataset."""
    a = finding.analysis
    source = Source(a.id, a.role, a.population, a.outcome, unit_of(data, a), a.method)
    yield from _numbers(finding.result, source, finding.available)


def _numbers(result: Result | None, source: Source, available: dict[str, int]) -> Iterator[Number]:
    match result:
        case MeansResult():
            yield from _means(result, source, available)
        case RatioResult():
            yield from source.effect("ratio", result.ratio, n=_n(result.arms))
            if result.fieller is not None:
                yield from source.effect("ratio", result.fieller, n=_n(result.arms), prefix="fieller_")
            yield from _arms(result.arms, source, available)
        case SubgroupResult():
            yield from _subgroup_numbers(result, source, available)
        case ProportionsResult():
            yield from source.effect("difference", result.difference, n=sum(arm.n for arm in result.arms))
            for arm in result.arms:
                yield from _share(arm, source, available.get(arm.arm))
        case Proportion():
            yield from _share(result, source, available.get(result.arm))


def _subgroup_numbers(result: SubgroupResult, source: Source, available: dict[str, int]) -> Iterator[Number]:
    for name, part, ratio in (
        ("inside", result.inside, result.inside_ratio),
        ("outside", result.outside, result.outside_ratio),
    ):
        yield from _means(part, source, {}, prefix=f"{name}:")
        if ratio is not None:
            yield from source.effect(f"{name}:ratio", ratio, n=_n(part.arms))
    n = _n(result.inside.arms) + _n(result.outside.arms)
    yield from source.effect("interaction", result.interaction, n=n)


def _means(result: MeansResult, source: Source, available: dict[str, int], prefix: str = "") -> Iterator[Number]:
    yield from source.effect(f"{prefix}difference", result.difference, n=_n(result.arms))
    yield from _arms(result.arms, source, available, prefix)


def _arms(
    arms: tuple[ArmMean, ArmMean], source: Source, available: dict[str, int], prefix: str = ""
) -> Iterator[Number]:
    for arm in arms:
        more = {"n": arm.n, "available": available.get(arm.arm)}
        yield source.number(f"{prefix}{arm.arm}", "mean", arm.mean, **more)
        yield source.number(f"{prefix}{arm.arm}", "sd", arm.sd, **more)
        for name in ("estimate", "low", "high"):
            yield source.number(f"{prefix}{arm.arm}", f"adjusted_{name}", getattr(arm.adjusted, name), **more)


def _share(arm: Proportion, source: Source, available: int | None) -> Iterator[Number]:
    yield source.number(arm.arm, "count", arm.count, n=arm.n, available=available)
    for name in ("estimate", "low", "high"):
        yield source.number(arm.arm, f"share_{name}", getattr(arm.share, name), n=arm.n, available=available)


def _n(arms: tuple[ArmMean, ArmMean]) -> int:
    return sum(arm.n for arm in arms)
