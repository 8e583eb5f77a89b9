"""What an estimator answers: frozen values, free of NaN, or `NotEstimableError` with a reason for people."""

from __future__ import annotations

import math
from dataclasses import dataclass

Arms = tuple[str, str]  # reference first; every difference is second minus first


class NotEstimableError(Exception):
    """The data do not allow this estimate. The message is printed in the report."""


@dataclass(frozen=True)
class Effect:
    """An estimate with its interval. `p` is None where no test is defined."""

    estimate: float
    low: float
    high: float
    se: float | None = None
    p: float | None = None
    df: float | None = None

    def __post_init__(self) -> None:
        numbers = (self.estimate, self.low, self.high, self.se, self.p, self.df)
        if not all(math.isfinite(n) for n in numbers if n is not None):
            raise NotEstimableError("The data leave the estimate or its interval undefined.")

    def excludes(self, value: float) -> bool:
        return not self.low <= value <= self.high


@dataclass(frozen=True)
class ArmMean:
    """One arm: how many were analysed, their raw mean and SD, and the adjusted mean."""

    arm: str
    n: int
    mean: float
    sd: float
    adjusted: Effect


@dataclass(frozen=True)
class MeansResult:
    """Two arms' means and their difference; `notes` say what the data forced."""

    difference: Effect
    arms: tuple[ArmMean, ArmMean]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RatioResult:
    """Ratio of means by the delta method on the log scale, with Fieller's interval beside it."""

    ratio: Effect
    fieller: Effect | None
    arms: tuple[ArmMean, ArmMean]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SubgroupResult:
    """The effect inside and outside a subgroup, and the test that they are the same."""

    inside: MeansResult
    outside: MeansResult
    interaction: Effect
    inside_ratio: Effect | None
    outside_ratio: Effect | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proportion:
    """So many of so many, with Wilson's interval."""

    arm: str
    count: int
    n: int
    share: Effect


@dataclass(frozen=True)
class ProportionsResult:
    """Two arms' proportions and their difference."""

    difference: Effect
    arms: tuple[Proportion, Proportion]
    notes: tuple[str, ...] = ()
