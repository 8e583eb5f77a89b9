"""Ratio of two adjusted means: delta method on the log scale, and Fieller's interval beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from analysis.estimators.linear import Array, Fit, require_both_arms
from analysis.estimators.means import ancova, arm_means
from analysis.estimators.values import Arms, Effect, NotEstimableError, RatioResult


def ratio_of_means(
    people: pd.DataFrame,
    *,
    arms: Arms,
    covariates: Sequence[str] = (),
    level: float = 0.95,
    minimum: int = 2,
) -> RatioResult:
    """Mean of the second arm over mean of the first, from the same model as the difference."""
    people = people.dropna(subset=["y"])
    require_both_arms(people, arms, minimum=minimum)
    fit, notes = ancova(people, arms=arms, covariates=covariates)
    means, covariance = means_of(fit, {"one": 1.0}, {"one": 1.0, "arm": 1.0})
    return RatioResult(
        ratio=log_delta(means, covariance, df=fit.df, level=level),
        fieller=fieller(means, covariance, df=fit.df, level=level),
        arms=arm_means(people, fit, arms=arms, level=level),
        notes=notes,
    )


def means_of(fit: Fit, reference: dict[str, float], other: dict[str, float]) -> tuple[Array, Array]:
    """Two means of a model and their covariance."""
    rows = np.array([[weights.get(name, 0.0) for name in fit.names] for weights in (reference, other)])
    return rows @ fit.coefficients, rows @ fit.covariance @ rows.T


def log_delta(means: Array, covariance: Array, *, df: float, level: float) -> Effect:
    """Raises NotEstimableError where a mean is not above 0: its logarithm does not exist."""
    reference, other = (float(m) for m in means)
    if reference <= 1e-9 or other <= 1e-9:
        raise NotEstimableError("A ratio needs both means above 0.")
    gradient = np.array([-1 / reference, 1 / other])
    se = math.sqrt(max(0.0, float(gradient @ covariance @ gradient)))
    if se == 0.0:
        raise NotEstimableError("Everybody has the same value, so there is no variation to judge a ratio by.")
    log = math.log(other / reference)
    half = float(stats.t.ppf((1 + level) / 2, df)) * se
    if log + half > 700:
        raise NotEstimableError("The first arm's mean is too close to 0 for a ratio.")
    p = float(2 * stats.t.sf(abs(log / se), df))
    return Effect(math.exp(log), math.exp(log - half), math.exp(log + half), se=se, p=p, df=df)


def fieller(means: Array, covariance: Array, *, df: float, level: float) -> Effect | None:
    """Fieller's interval, or None where the first mean cannot be told from 0 and it is unbounded."""
    reference, other = (float(m) for m in means)
    t2 = float(stats.t.ppf((1 + level) / 2, df)) ** 2
    a = reference**2 - t2 * covariance[0, 0]
    b = reference * other - t2 * covariance[0, 1]
    c = other**2 - t2 * covariance[1, 1]
    if a <= 0 or b * b < a * c:
        return None
    root = math.sqrt(b * b - a * c)
    return Effect(other / reference, float((b - root) / a), float((b + root) / a), df=df)
