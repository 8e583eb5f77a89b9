"""Tables of a report: estimate and interval first, p last, n analysed of n available for each arm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from analysis.dataset import Dataset
from analysis.document import Table
from analysis.estimators.values import (
    ArmMean,
    Effect,
    MeansResult,
    Proportion,
    ProportionsResult,
    RatioResult,
    SubgroupResult,
)
from analysis.findings import Finding
from analysis.words import Voice, interval, number, p_value, percent

MOST_VALUES = 6
LEVELS = {0: "none", 1: "weak", 2: "strong"}
MECHANISMS = {"er": "Emotional reactions", "ip": "Interpretations", "ex": "Explorations"}


def of(finding: Finding, voice: Voice, *, subgroup: tuple[str, str]) -> tuple[Table, ...]:
    """The tables of one finding."""
    result, title = finding.result, finding.analysis.title
    match result:
        case MeansResult():
            return (_means(title, result, voice, finding.available),)
        case RatioResult():
            return (_ratio(title, result, voice),)
        case SubgroupResult():
            return (_subgroup(title, result, voice, subgroup),)
        case ProportionsResult():
            return (_proportions(title, result, voice, finding.available),)
        case Proportion():
            return (_proportion(title, result, voice, finding.available),)
    return ()


def _means(title: str, result: MeansResult, voice: Voice, available: dict[str, int]) -> Table:
    rows = [_arm_row(arm, voice, f"{arm.n} of {available[arm.arm]}") for arm in result.arms]
    return Table(title, _means_head(voice), (*rows, _difference_row(result, voice)))


def _means_head(voice: Voice) -> tuple[str, ...]:
    return ("", "Estimate", voice.ci, "p", "Unadjusted mean (SD)", "n analysed")


def _arm_row(arm: ArmMean, voice: Voice, n: str) -> tuple[str, ...]:
    raw = f"{number(arm.mean)} ({number(arm.sd)})"
    return (
        f"{voice.label(arm.arm)}: adjusted mean",
        number(arm.adjusted.estimate),
        interval(arm.adjusted),
        "",
        raw,
        n,
    )


def _difference_row(result: MeansResult, voice: Voice) -> tuple[str, ...]:
    reference, other = result.arms
    effect = result.difference
    name = f"Difference, {voice.label(other.arm)} minus {voice.label(reference.arm)}"
    return (name, number(effect.estimate), interval(effect), _p(effect), "", str(reference.n + other.n))


def _p(effect: Effect) -> str:
    return p_value(effect.p).removeprefix("= ")


def _ratio(title: str, result: RatioResult, voice: Voice) -> Table:
    reference, other = result.arms
    n = str(reference.n + other.n)
    name = f"Ratio, {voice.label(other.arm)} to {voice.label(reference.arm)}"
    rows = [(f"{name} (delta method)", number(result.ratio.estimate), interval(result.ratio), _p(result.ratio), n)]
    if result.fieller is not None:
        rows.append((f"{name} (Fieller)", number(result.fieller.estimate), interval(result.fieller), "", n))
    else:
        rows.append((f"{name} (Fieller)", "unbounded", "", "", n))
    return Table(title, ("", "Estimate", voice.ci, "p", "n analysed"), tuple(rows))


def _subgroup(title: str, result: SubgroupResult, voice: Voice, names: tuple[str, str]) -> Table:
    rows: list[tuple[str, ...]] = []
    for name, part, ratio in zip(
        names, (result.inside, result.outside), (result.inside_ratio, result.outside_ratio), strict=True
    ):
        n = " and ".join(str(arm.n) for arm in part.arms)
        means = " and ".join(number(arm.adjusted.estimate) for arm in part.arms)
        times = f"{number(ratio.estimate)} ({interval(ratio)})" if ratio else "not defined"
        effect = part.difference
        rows.append((name, number(effect.estimate), interval(effect), _p(effect), means, times, n))
    between = result.interaction
    rows.append(("Interaction", number(between.estimate), interval(between), _p(between), "", "", ""))
    arms = " and ".join(voice.label(arm.arm) for arm in result.inside.arms)
    head = ("", "Difference", voice.ci, "p", f"Adjusted means, {arms}", f"Ratio ({voice.ci})", f"n, {arms}")
    return Table(title, head, tuple(rows))


def _proportions(title: str, result: ProportionsResult, voice: Voice, available: dict[str, int]) -> Table:
    rows = [
        (
            voice.label(arm.arm),
            percent(arm.share.estimate),
            _percents(arm.share),
            "",
            f"{arm.count}",
            f"{arm.n} of {available[arm.arm]}",
        )
        for arm in result.arms
    ]
    reference, other = result.arms
    effect = result.difference
    name = f"Difference, {voice.label(other.arm)} minus {voice.label(reference.arm)}"
    n = str(reference.n + other.n)
    rows.append((name, f"{number(100 * effect.estimate, 1)} points", _percents(effect), _p(effect), "", n))
    return Table(title, ("", "Estimate", voice.ci, "p", "Count", "n analysed"), tuple(rows))


def _percents(effect: Effect) -> str:
    return f"{number(100 * effect.low, 1)} to {number(100 * effect.high, 1)}"


def _proportion(title: str, result: Proportion, voice: Voice, available: dict[str, int]) -> Table:
    n = f"{result.n} of {available[result.arm]}"
    share = result.share
    row = (voice.label(result.arm), percent(share.estimate), _percents(share), str(result.count), n)
    return Table(title, ("", "Agreed", voice.ci, "Count", "n answered"), (row,))


# --- Descriptions -------------------------------------------------------------------------


def level_shares(data: Dataset) -> pd.DataFrame:
    """Share of replies at each level: mechanism, arm, level, n, share."""
    rows = []
    for code, mechanism in MECHANISMS.items():
        for arm in data.arms:
            values = data.replies.loc[data.replies["arm"] == arm, code]
            for level, name in LEVELS.items():
                n = int((values == level).sum())
                rows.append((mechanism, data.labels[arm], name, n, n / len(values) if len(values) else 0.0))
    return pd.DataFrame(rows, columns=["mechanism", "arm", "level", "n", "share"])


def levels(shares: pd.DataFrame) -> Table:
    rows = []
    for (mechanism, arm), part in shares.groupby(["mechanism", "arm"], sort=False):
        cells = [f"{percent(share)} ({n})" for share, n in zip(part["share"], part["n"], strict=True)]
        rows.append((f"{mechanism}, {arm}", *cells))
    return Table("Share of replies at each level (count)", ("", "None", "Weak", "Strong"), tuple(rows))


def baseline(data: Dataset) -> Table:
    """Who was randomised, by arm, from the survey before. No tests: any difference is chance."""
    parts = [data.people[data.people["arm"] == arm] for arm in data.arms]
    parts.append(data.people)
    rows: list[tuple[str, ...]] = [("Randomised", *(str(len(part)) for part in parts))]
    for name, entry in data.codebook.items():
        if name.startswith("pre.") and name in data.people:
            rows += _baseline_rows(name, entry, parts)
    head = ("", *(data.labels[arm] for arm in data.arms), "All")
    return Table("Baseline: mean (SD), or count (%)", head, tuple(rows))


def _baseline_rows(name: str, entry: dict[str, Any], parts: list[pd.DataFrame]) -> list[tuple[str, ...]]:
    """A row for a scale; for a choice a heading, which is a row of one cell, and a row for each value."""
    if "items" in entry:
        return [(str(entry["meaning"]), *(_mean_sd(part[name]) for part in parts))]
    if entry.get("kind") not in ("single", "multiple"):
        return []
    counts = parts[-1][name].dropna().astype(str).str.split("|").explode().value_counts()
    shown = [value for value in entry["values"] if value in set(counts.index[:MOST_VALUES])]
    rows = [(str(entry["values"][v]), *(_count(part[name], {v}) for part in parts)) for v in shown]
    if rest := set(counts.index) - set(shown):
        rows.append((f"{len(rest)} other answers", *(_count(part[name], rest) for part in parts)))
    return [(str(entry["meaning"]),), *rows] if rows else []


def _mean_sd(values: pd.Series) -> str:
    given = values.dropna()
    if not len(given):
        return "none answered"
    return f"{number(given.mean())} ({number(given.std(ddof=1) if len(given) > 1 else 0.0)})"


def _count(values: pd.Series, wanted: set[str]) -> str:
    n = int(values.dropna().astype(str).str.split("|").map(lambda given: bool(wanted & set(given))).sum())
    return f"{n} ({percent(n / len(values))})" if len(values) else "0"


def exposure(data: Dataset, voice: Voice) -> Table | None:
    """How much feedback each arm had; held back until the lock, since it tells the arm."""
    if data.exposure is None:
        return None
    people = data.people[["participant", "arm"]].merge(data.exposure, on="participant")
    parts = [people[people["arm"] == arm] for arm in data.arms]
    lines: tuple[tuple[str, Callable[[pd.DataFrame], str]], ...] = (
        ("Participants who asked at least once", lambda p: f"{int((p['requests'] > 0).sum())} of {len(p)}"),
        ("Requests", lambda p: str(int(p["requests"].sum()))),
        ("Requests answered", lambda p: str(int(p["answered"].sum()))),
        ("Requests that failed", lambda p: str(int(p["failed"].sum()))),
        ("Suggestions", lambda p: str(int(p["suggestions"].sum()))),
        ("Suggestions inserted", lambda p: str(int(p["accepted"].sum()))),
        ("Complaints", lambda p: str(int(p["flags"].sum()))),
    )
    rows = tuple((name, *(value(part) for part in parts)) for name, value in lines)
    return Table("Use of feedback", ("", *(voice.label(arm) for arm in data.arms)), rows)
