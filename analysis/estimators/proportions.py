"""Proportions: Wilson's interval for one, Newcombe's for a difference.

Newcombe 1998, Statistics in Medicine 17:857 (method 3) and 17:873 (method 10). The score interval
of statsmodels is never used: it is wrong for differences (statsmodels issue 10269).
"""

from __future__ import annotations

import math

import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from analysis.estimators.values import Arms, Effect, NotEstimableError, Proportion, ProportionsResult


def one_proportion(yes: pd.Series, *, arm: str, level: float = 0.95, minimum: int = 1) -> Proportion:
    """How many of those who answered said yes."""
    answers = yes.dropna().astype(bool)
    if len(answers) < minimum:
        raise NotEstimableError(f"Too few answers: {len(answers)}, and the plan asks for at least {minimum}.")
    return wilson(int(answers.sum()), len(answers), arm=arm, level=level)


def wilson(count: int, n: int, *, arm: str = "", level: float = 0.95) -> Proportion:
    """Raises NotEstimableError when nobody answered."""
    if n < 1:
        raise NotEstimableError("Nobody answered.")
    low, high = proportion_confint(count, n, alpha=1 - level, method="wilson")
    return Proportion(arm, count, n, Effect(count / n, max(0.0, float(low)), min(1.0, float(high))))


def difference_in_proportions(
    people: pd.DataFrame, *, arms: Arms, level: float = 0.95, minimum: int = 1
) -> ProportionsResult:
    """Difference in the share of `yes`, Newcombe's interval, Pearson's chi-squared test."""
    people = people.dropna(subset=["yes"])
    reference, other = (people.loc[people["arm"] == arm, "yes"] for arm in arms)
    for arm, answers in zip(arms, (reference, other), strict=True):
        if len(answers) < minimum:
            raise NotEstimableError(
                f"Too few participants in arm {arm}: {len(answers)} with data, "
                f"and the plan asks for at least {minimum}."
            )
    first = one_proportion(reference, arm=arms[0], level=level)
    second = one_proportion(other, arm=arms[1], level=level)
    return ProportionsResult(newcombe(second, first, level=level), (first, second))


def newcombe(second: Proportion, first: Proportion, *, level: float = 0.95) -> Effect:
    """Second minus first."""
    low, high = confint_proportions_2indep(
        second.count, second.n, first.count, first.n, method="newcomb", compare="diff", alpha=1 - level
    )
    estimate = second.count / second.n - first.count / first.n
    return Effect(estimate, float(low), float(high), p=_pearson(second, first))


def _pearson(second: Proportion, first: Proportion) -> float | None:
    """Two-sided p of the pooled test; None where everybody or nobody said yes."""
    pooled = (second.count + first.count) / (second.n + first.n)
    variance = pooled * (1 - pooled) * (1 / second.n + 1 / first.n)
    if variance == 0:
        return None
    z = (second.count / second.n - first.count / first.n) / math.sqrt(variance)
    return float(2 * stats.norm.sf(abs(z)))
