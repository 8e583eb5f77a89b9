"""ANCOVA on participants: the primary analysis of replies, and of survey scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.estimators.linear import Fit, covariate_columns, fit_hc2, require_both_arms
from analysis.estimators.values import ArmMean, Arms, MeansResult, NotEstimableError


def ancova_means(
    people: pd.DataFrame,
    *,
    arms: Arms,
    covariates: Sequence[str] = (),
    level: float = 0.95,
    minimum: int = 2,
) -> MeansResult:
    """Difference of participant means `y`, adjusted for `covariates`, HC2 errors, t with n - p df.

    A survey scale is analysed the same way, with the scale before writing among the covariates;
    never as a change score.
    """
    people = people.dropna(subset=["y"])
    require_both_arms(people, arms, minimum=minimum)
    fit, notes = ancova(people, arms=arms, covariates=covariates)
    return MeansResult(
        difference=fit.contrast({"arm": 1.0}, level=level),
        arms=arm_means(people, fit, arms=arms, level=level),
        notes=notes,
    )


def ancova(people: pd.DataFrame, *, arms: Arms, covariates: Sequence[str]) -> tuple[Fit, tuple[str, ...]]:
    """The fitted model; without covariates where the data are too few to carry them, and saying so."""
    adjust, notes = covariate_columns(people, covariates)
    design = pd.DataFrame({"one": 1.0, "arm": (people["arm"] == arms[1]).astype(float)}, index=people.index)
    try:
        return fit_hc2(people["y"], design.join(adjust)), notes
    except NotEstimableError:
        if adjust.empty:
            raise
        return fit_hc2(people["y"], design), (
            *notes,
            "Not adjusted: too few participants for the covariates.",
        )


def arm_means(people: pd.DataFrame, fit: Fit, *, arms: Arms, level: float) -> tuple[ArmMean, ArmMean]:
    """Raw and adjusted means; covariates are centred, so the adjusted mean is at their average."""
    reference, other = (
        _arm_mean(people, fit, arm=arm, weights={"one": 1.0, "arm": float(index)}, level=level)
        for index, arm in enumerate(arms)
    )
    return reference, other


def _arm_mean(people: pd.DataFrame, fit: Fit, *, arm: str, weights: dict[str, float], level: float) -> ArmMean:
    values = people.loc[people["arm"] == arm, "y"].astype(float)
    return ArmMean(
        arm=arm,
        n=len(values),
        mean=float(values.mean()),
        sd=float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        adjusted=fit.contrast(weights, level=level),
    )


# --- From replies to participants ---------------------------------------------------------


def participant_means(replies: pd.DataFrame, *, arms: Arms, adjust_posts: bool) -> pd.Series:
    """Mean score of each participant's replies (`score`), by participant."""
    score = replies["score"].astype(float)
    if adjust_posts and len(replies):
        score = score - post_effects(replies, arms=arms)
    return score.groupby(replies["participant"]).mean()


def post_effects(replies: pd.DataFrame, *, arms: Arms) -> pd.Series:
    """How much higher than average each reply's post is answered, shrunk towards 0.

    The arm effect is taken out first, within posts, since a post's plain mean would take part of
    the arm effect with it where a post happens to be answered more in one arm. Then each post's
    mean deviation is shrunk by how well it is known (variance components by moments), because
    subtracting unshrunk means pretends to know them and makes intervals too short.
    """
    score = replies["score"].astype(float)
    treated = (replies["arm"] == arms[1]).astype(float)
    rest = score - _within_posts(score, treated, replies["post"]) * treated
    rest = rest - rest.mean()
    posts = rest.groupby(replies["post"]).agg(["mean", "size"])
    noise = float(rest.var(ddof=1)) if len(rest) > 1 else 0.0
    spread = float(posts["mean"].var(ddof=1)) if len(posts) > 1 else 0.0
    between = max(0.0, spread - noise * float((1 / posts["size"]).mean()))
    if between == 0.0:
        return pd.Series(0.0, index=replies.index)
    shrunk = posts["mean"] * between / (between + noise / posts["size"])
    effects = replies["post"].map(shrunk).astype(float)
    return effects - effects.mean()


def _within_posts(score: pd.Series, treated: pd.Series, post: pd.Series) -> float:
    """The arm difference among replies to the same post; 0 where no post has both arms."""
    inside_score = score - score.groupby(post).transform("mean")
    inside_arm = treated - treated.groupby(post).transform("mean")
    weight = float(np.square(inside_arm).sum())
    return float((inside_arm * inside_score).sum()) / weight if weight > 0 else 0.0
