"""The analysis results dataset: every number of a report as one row of one long table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields

from analysis.estimators.values import Effect


@dataclass(frozen=True)
class Number:
    """One number and where it comes from. `stratum` is an arm, a subgroup or `difference`."""

    analysis: str
    role: str
    population: str
    outcome: str
    stratum: str
    statistic: str
    value: float
    unit: str
    method: str
    n: int | None = None
    available: int | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"{self.analysis}.{self.statistic} is not a number")


@dataclass(frozen=True)
class Stamp:
    """What every number carries with it."""

    snapshot: str
    plan: str
    code: str
    releases: str


@dataclass(frozen=True)
class Source:
    """The part of a row that all numbers of one analysis share."""

    analysis: str
    role: str
    population: str
    outcome: str
    unit: str
    method: str

    def number(
        self,
        stratum: str,
        statistic: str,
        value: float,
        *,
        n: int | None = None,
        available: int | None = None,
    ) -> Number:
        return Number(
            **asdict(self), stratum=stratum, statistic=statistic, value=float(value), n=n, available=available
        )

    def effect(self, stratum: str, effect: Effect, *, n: int | None = None, prefix: str = "") -> Iterator[Number]:
        """Estimate, interval, and what else the effect has."""
        for name in ("estimate", "low", "high", "se", "p", "df"):
            value = getattr(effect, name)
            if value is not None:
                yield self.number(stratum, f"{prefix}{name}", value, n=n)


def to_csv(numbers: Sequence[Number], stamp: Stamp) -> str:
    """The whole table, each row with its stamp; numbers in full precision."""
    out = io.StringIO()
    names = [f.name for f in fields(Number)] + [f.name for f in fields(Stamp)]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for number in numbers:
        row = asdict(number) | asdict(stamp)
        writer.writerow(row | {"value": repr(number.value)})
    return out.getvalue()
