"""Sensitivity: every reply in one model, post as a fixed effect, errors clustered by participant."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.estimators.linear import covariate_columns, fit_clustered, require_both_arms
from analysis.estimators.values import ArmMean, Arms, Effect, MeansResult


def clustered_posts(
    replies: pd.DataFrame,
    *,
    arms: Arms,
    covariates: Sequence[str] = (),
    level: float = 0.95,
    minimum: int = 2,
) -> MeansResult:
    """Difference between replies (`score`) to the same post, with participant-clustered errors."""
    replies = replies.dropna(subset=["score"])
    require_both_arms(replies.drop_duplicates("participant"), arms, minimum=minimum)
    adjust, notes = covariate_columns(replies, covariates)
    posts = pd.get_dummies(replies["post"].astype(str), prefix="post", dtype=float).iloc[:, 1:]
    posts = posts - posts.mean()
    design = pd.DataFrame({"one": 1.0, "arm": (replies["arm"] == arms[1]).astype(float)}, index=replies.index)
    fit = fit_clustered(replies["score"], design.join(posts).join(adjust), replies["participant"])
    reference, other = (
        _arm(replies, arm, fit.contrast({"one": 1.0, "arm": float(index)}, level=level))
        for index, arm in enumerate(arms)
    )
    return MeansResult(fit.contrast({"arm": 1.0}, level=level), (reference, other), notes)


def _arm(replies: pd.DataFrame, arm: str, adjusted: Effect) -> ArmMean:
    part = replies[replies["arm"] == arm]
    values = part["score"].astype(float)
    sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return ArmMean(arm, int(part["participant"].nunique()), float(values.mean()), sd, adjusted)
