"""How far a release's scores move when the same pair is written differently, and whether groups differ.

Shifts are means over the pairs that a perturbation changes: over all pairs they would shrink with its rarity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

import numpy as np

from ml.epitome.evaluate import Floats
from ml.epitome.perturbations import CONTRASTS, PERTURBATIONS, Contrast, Perturbation
from ml.types import MECHANISMS, Pair, Score

FEWEST = 10  # changed pairs below which no mean is given
NORMAL = 1.96  # of a 95% interval
ORIGINAL = "original"
NOTE = "Intervals are over pairs, one at a time; they do not cover the choice of the names and of the rules."

Versions = dict[str, list[Pair]]
Scored = Mapping[Pair, Score]


@dataclass(frozen=True)
class Estimate:
    """A mean over pairs and its 95% interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} ({self.low:+.3f} to {self.high:+.3f})"


@dataclass(frozen=True)
class Shift:
    """Over the `changed` pairs: expected total after minus before, and the share whose level stays the same."""

    name: str
    changed: int
    shift: Estimate | None = None
    absolute: float = 0.0
    same: tuple[float, ...] = ()


@dataclass(frozen=True)
class Difference:
    """Between two groups of versions of the same pair, over the `pairs` on which they differ."""

    name: str
    pairs: int
    difference: Estimate | None = None


@dataclass(frozen=True)
class Report:
    pairs: int
    mean: float
    sd: float
    shifts: list[Shift]
    differences: list[Difference]

    def stored(self) -> dict[str, Any]:
        return asdict(self)


def sample(pairs: Sequence[Pair], limit: int, seed: int) -> list[Pair]:
    """At most `limit` different pairs whose reply has a letter or digit, drawn by seed."""
    spoken = [pair for pair in dict.fromkeys(pairs) if any(map(str.isalnum, pair.response))]
    return Random(seed).sample(spoken, min(limit, len(spoken)))  # noqa: S311 - a draw, not a secret


def versions(pairs: Sequence[Pair], seed: int, perturbations: Sequence[Perturbation] = PERTURBATIONS) -> Versions:
    """Every pair as it is and after each perturbation; the same seed gives the same texts."""
    return {ORIGINAL: list(pairs)} | {one.name: _perturbed(one, pairs, seed) for one in perturbations}


def _perturbed(perturbation: Perturbation, pairs: Sequence[Pair], seed: int) -> list[Pair]:
    # Each pair has one chance for all perturbations, so that groups of names differ in the name alone.
    chances = (Random(f"{seed}:{row}") for row in range(len(pairs)))  # noqa: S311 - a draw, not a secret
    return [perturbation.rewrite(pair, chance) for pair, chance in zip(pairs, chances, strict=True)]


def distinct(found: Versions) -> list[Pair]:
    """What has to be scored: every text once."""
    return list(dict.fromkeys(pair for pairs in found.values() for pair in pairs))


def report(found: Versions, scored: Scored, contrasts: Sequence[Contrast] = CONTRASTS) -> Report:
    before = _totals(found[ORIGINAL], scored)
    return Report(
        pairs=len(before),
        mean=float(before.mean()),
        sd=float(before.std(ddof=1)),
        shifts=[_shift(name, found, scored) for name in found if name != ORIGINAL],
        differences=[_difference(one, found, scored) for one in contrasts],
    )


def _totals(pairs: Sequence[Pair], scored: Scored) -> Floats:
    return np.array([scored[pair].expected_total for pair in pairs])


def _levels(pairs: Sequence[Pair], scored: Scored) -> Floats:
    return np.array([scored[pair].levels for pair in pairs], dtype=np.float64)


def _shift(name: str, found: Versions, scored: Scored) -> Shift:
    both = [(old, new) for old, new in zip(found[ORIGINAL], found[name], strict=True) if old != new]
    if len(both) < FEWEST:
        return Shift(name, len(both))
    old, new = zip(*both, strict=True)
    moved = _totals(new, scored) - _totals(old, scored)
    same = (_levels(new, scored) == _levels(old, scored)).mean(0)
    return Shift(name, len(both), estimate(moved), float(np.abs(moved).mean()), tuple(map(float, same)))


def _difference(contrast: Contrast, found: Versions, scored: Scored) -> Difference:
    plus, minus = ([found[name] for name in names] for names in (contrast.plus, contrast.minus))
    one, other = (np.mean([_totals(pairs, scored) for pairs in side], axis=0) for side in (plus, minus))
    differ = [_differ(plus, minus, row) for row in range(len(one))]
    values = (one - other)[differ]
    return Difference(contrast.name, len(values), estimate(values) if len(values) >= FEWEST else None)


def _differ(plus: Sequence[Sequence[Pair]], minus: Sequence[Sequence[Pair]], row: int) -> bool:
    return {pairs[row] for pairs in plus} != {pairs[row] for pairs in minus}


def estimate(values: Floats) -> Estimate:
    """The mean with the normal interval of its standard error; at least two values."""
    mean = float(values.mean())
    half = NORMAL * float(values.std(ddof=1)) / len(values) ** 0.5
    return Estimate(mean, mean - half, mean + half)


def table(found: Report) -> str:
    """The report as Markdown: a line of the originals, the shifts, and the differences between groups."""
    head = ["perturbation", "replies changed", "mean shift (95% interval)", "mean absolute shift"]
    head.append(f"same level, % ({' / '.join(name.upper() for name in MECHANISMS)})")
    lines = [
        f"{found.pairs} pairs, expected total {found.mean:.2f} (standard deviation {found.sd:.2f}).",
        "",
        *_rows(head, [_cells(one, found.pairs) for one in found.shifts]),
        "",
        *_rows(["groups", "pairs", "difference (95% interval)"], [_groups(one) for one in found.differences]),
        "",
        NOTE,
    ]
    return "\n".join(lines)


def _rows(head: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in cells)]


def _cells(one: Shift, pairs: int) -> list[str]:
    changed = f"{one.changed} of {pairs}"
    if one.shift is None:
        return [one.name, changed, "too few", "", ""]
    same = " / ".join(f"{100 * share:.0f}" for share in one.same)
    return [one.name, changed, str(one.shift), f"{one.absolute:.3f}", same]


def _groups(one: Difference) -> list[str]:
    return [one.name, str(one.pairs), str(one.difference or "too few")]
