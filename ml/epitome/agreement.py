"""How far two releases agree with each other and with the labels, and how far their errors go together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ml.epitome.data import Example
from ml.epitome.evaluate import Ints, quadratic_kappa
from ml.types import MECHANISMS, Score


def agreement(
    examples: Sequence[Example], first: Sequence[Score], second: Sequence[Score]
) -> dict[str, dict[str, Any]]:
    """Per mechanism (same level, quadratic kappa, shared errors) and of the totals."""
    labels = np.array([one.levels for one in examples])
    one, other = (np.array([score.levels for score in scores]) for scores in (first, second))
    report: dict[str, dict[str, Any]] = {
        name: _of_levels(labels[:, m], one[:, m], other[:, m]) for m, name in enumerate(MECHANISMS)
    }
    return report | {"total": _of_totals(labels.sum(1), first, second), "n": {"pairs": len(examples)}}


def _of_levels(labels: Ints, one: Ints, other: Ints) -> dict[str, Any]:
    wrong, also = one != labels, other != labels
    return {
        "each_other": [float((one == other).mean()), quadratic_kappa(one, other)],
        "first_labels": [float((one == labels).mean()), quadratic_kappa(labels, one)],
        "second_labels": [float((other == labels).mean()), quadratic_kappa(labels, other)],
        "both_wrong": float((wrong & also).mean()),
        "both_wrong_by_chance": float(wrong.mean() * also.mean()),
    }


def _of_totals(labels: Ints, first: Sequence[Score], second: Sequence[Score]) -> dict[str, float]:
    one, other = (np.array([score.expected_total for score in scores]) for scores in (first, second))
    return {
        "correlation": _correlation(one, other),
        "first_labels": _correlation(one, labels),
        "second_labels": _correlation(other, labels),
        "of_errors": _correlation(one - labels, other - labels),
    }


def _correlation(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    if len(one) < 2 or not one.std() or not other.std():
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def table(report: dict[str, dict[str, Any]], names: Sequence[str]) -> str:
    """The report as Markdown, for `docs/scorer.md`."""
    head = [
        f"same level / quadratic kappa, {report['n']['pairs']} pairs",
        f"{names[0]} and {names[1]}",
        *(f"{name} and labels" for name in names),
        "both wrong (if independent)",
    ]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for mechanism in MECHANISMS:
        one = report[mechanism]
        cells = [
            f"{same:.3f} / {kappa:.2f}"
            for same, kappa in (one[key] for key in ("each_other", "first_labels", "second_labels"))
        ]
        wrong = f"{one['both_wrong']:.3f} ({one['both_wrong_by_chance']:.3f})"
        lines.append(f"| {mechanism.upper()} | {' | '.join(cells)} | {wrong} |")
    total = report["total"]
    lines.append(
        f"| expected total, correlation | {total['correlation']:.2f} | {total['first_labels']:.2f} "
        f"| {total['second_labels']:.2f} | errors correlate {total['of_errors']:.2f} |"
    )
    return "\n".join(lines)
