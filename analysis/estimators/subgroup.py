"""The effect inside and outside a pre-specified subgroup, from one model, with the interaction test."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.estimators.linear import Fit, covariate_columns, fit_hc2, require_both_arms
from analysis.estimators.means import _arm_mean
from analysis.estimators.ratio import log_delta, means_of
from analysis.estimators.values import Arms, Effect, MeansResult, NotEstimableError, SubgroupResult


def subgroup_interaction(
    people: pd.DataFrame,
    *,
    arms: Arms,
    covariates: Sequence[str] = (),
    level: float = 0.95,
    minimum: int = 2,
) -> SubgroupResult:
    """Means by arm within and outside `inside` (bool column), HC2, interaction on the difference scale."""
    people = people.dropna(subset=["y", "inside"])
    _require_cells(people, arms, minimum)
    fit, notes = _fit(people, arms, covariates)
    return SubgroupResult(
        inside=_part(people, fit, arms, 1.0, level),
        outside=_part(people, fit, arms, 0.0, level),
        interaction=fit.contrast({"arm:inside": 1.0}, level=level),
        inside_ratio=_ratio(fit, 1.0, level),
        outside_ratio=_ratio(fit, 0.0, level),
        notes=notes,
    )


def _require_cells(people: pd.DataFrame, arms: Arms, minimum: int) -> None:
    for inside, where in ((True, "inside"), (False, "outside")):
        try:
            require_both_arms(people[people["inside"] == inside], arms, minimum=minimum)
        except NotEstimableError as error:
            raise NotEstimableError(f"{str(error)[:-1]}, {where} the subgroup.") from error


def _fit(people: pd.DataFrame, arms: Arms, covariates: Sequence[str]) -> tuple[Fit, tuple[str, ...]]:
    arm = (people["arm"] == arms[1]).astype(float)
    inside = people["inside"].astype(float)
    design = pd.DataFrame({"one": 1.0, "arm": arm, "inside": inside, "arm:inside": arm * inside}, index=people.index)
    adjust, notes = covariate_columns(people, covariates)
    try:
        return fit_hc2(people["y"], design.join(adjust)), notes
    except NotEstimableError:
        if adjust.empty:
            raise
        return fit_hc2(people["y"], design), (
            *notes,
            "Not adjusted: too few participants for the covariates.",
        )


def _weights(arm: float, inside: float) -> dict[str, float]:
    return {"one": 1.0, "arm": arm, "inside": inside, "arm:inside": arm * inside}


def _part(people: pd.DataFrame, fit: Fit, arms: Arms, inside: float, level: float) -> MeansResult:
    members = people[people["inside"].astype(float) == inside]
    reference, other = (
        _arm_mean(members, fit, arm=arm, weights=_weights(float(index), inside), level=level)
        for index, arm in enumerate(arms)
    )
    return MeansResult(fit.contrast({"arm": 1.0, "arm:inside": inside}, level=level), (reference, other))


def _ratio(fit: Fit, inside: float, level: float) -> Effect | None:
    means, covariance = means_of(fit, _weights(0.0, inside), _weights(1.0, inside))
    try:
        return log_delta(means, covariance, df=fit.df, level=level)
    except NotEstimableError:
        return None
