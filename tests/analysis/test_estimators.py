"""Estimators against published numbers, closed forms and simulation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.estimators import (
    NotEstimableError,
    ancova_means,
    clustered_posts,
    difference_in_proportions,
    one_proportion,
    ratio_of_means,
    subgroup_interaction,
)
from analysis.estimators.means import participant_means, post_effects
from analysis.estimators.proportions import newcombe, wilson
from analysis.estimators.ratio import fieller, log_delta
from tests.analysis.replica import ARMS, null_trial, people_of, replica


@pytest.fixture(scope="module")
def replies() -> pd.DataFrame:
    return replica()


@pytest.fixture(scope="module")
def people(replies: pd.DataFrame) -> pd.DataFrame:
    return people_of(replies, participant_means(replies, arms=ARMS, adjust_posts=False))


# --- Known answers ------------------------------------------------------------------------


def test_means_reproduce_the_crossed_model_of_lme4(people: pd.DataFrame) -> None:
    effect = ancova_means(people, arms=ARMS).difference
    assert effect.estimate == pytest.approx(0.370497354248, abs=1e-11)
    assert effect.se == pytest.approx(0.0779809537, abs=1e-9)
    assert effect.df == 298


def test_removing_post_effects_changes_nothing_when_everybody_answered_every_post(
    replies: pd.DataFrame, people: pd.DataFrame
) -> None:
    adjusted = people_of(replies, participant_means(replies, arms=ARMS, adjust_posts=True))
    assert adjusted["y"].to_numpy() == pytest.approx(people["y"].to_numpy(), abs=1e-12)


def test_replies_clustered_by_participant_equal_the_sandwich_of_r(replies: pd.DataFrame) -> None:
    effect = clustered_posts(replies, arms=ARMS).difference
    assert effect.estimate == pytest.approx(0.370497354248, abs=1e-10)
    assert effect.se == pytest.approx(0.0779805611, abs=1e-9)


def test_ratio_intervals_equal_the_reference_run(people: pd.DataFrame) -> None:
    result = ratio_of_means(people, arms=ARMS)
    assert result.ratio.estimate == pytest.approx(1.298, abs=5e-4)
    assert (result.ratio.low, result.ratio.high) == pytest.approx((1.162, 1.451), abs=1.1e-3)
    assert result.fieller is not None
    assert (result.fieller.low, result.fieller.high) == pytest.approx((1.163, 1.455), abs=6e-4)


# Newcombe 1998, Statistics in Medicine 17:857, Table I, method 3
@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_newcombe_1998_table_1(count: int, n: int, low: float, high: float) -> None:
    share = wilson(count, n).share
    assert (share.low, share.high) == pytest.approx((low, high), abs=5e-5)


# Newcombe 1998, Statistics in Medicine 17:873, Table II, method 10
@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_difference_equals_newcombe_1998_table_2(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    effect = newcombe(wilson(*first), wilson(*second))
    assert (effect.low, effect.high) == pytest.approx((low, high), abs=5e-5)
    assert effect.estimate == pytest.approx(first[0] / first[1] - second[0] / second[1])


def test_difference_in_proportions_is_second_minus_first_with_pearsons_p() -> None:
    people = pd.DataFrame({"arm": ["A"] * 80 + ["B"] * 70, "yes": [1.0] * 48 + [0.0] * 32 + [1.0] * 56 + [0.0] * 14})
    effect = difference_in_proportions(people, arms=ARMS).difference
    expected = stats.chi2_contingency([[48, 32], [56, 14]], correction=False).pvalue
    assert effect.estimate == pytest.approx(0.2)
    assert effect.p == pytest.approx(expected, abs=1e-12)


# --- Closed forms -------------------------------------------------------------------------


def test_hc2_equals_the_matrix_formula(people: pd.DataFrame) -> None:
    frame = people.assign(x=np.random.default_rng(3).normal(size=len(people)) + people["y"])
    effect = ancova_means(frame, arms=ARMS, covariates=["x"]).difference
    x = np.column_stack([np.ones(len(frame)), frame["arm"] == "B", frame["x"] - frame["x"].mean()]).astype(float)
    bread = np.linalg.inv(x.T @ x)
    residual = frame["y"].to_numpy() - x @ bread @ x.T @ frame["y"].to_numpy()
    leverage = np.diag(x @ bread @ x.T)
    covariance = bread @ (x.T * (residual**2 / (1 - leverage))) @ x @ bread
    t = effect.estimate / math.sqrt(covariance[1, 1])
    assert effect.se == pytest.approx(math.sqrt(covariance[1, 1]), abs=1e-12)
    assert effect.p == pytest.approx(2 * stats.t.sf(abs(t), len(frame) - 3), rel=1e-9)


def test_without_covariates_hc2_is_the_welch_error(people: pd.DataFrame) -> None:
    a, b = (people.loc[people["arm"] == arm, "y"] for arm in ARMS)
    welch = math.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    assert ancova_means(people, arms=ARMS).difference.se == pytest.approx(welch, abs=1e-12)


def test_without_covariates_each_subgroup_has_its_own_plain_difference(people: pd.DataFrame) -> None:
    result = subgroup_interaction(people.assign(inside=people["challenging"]), arms=ARMS)
    plain = {}
    for inside in (True, False):
        part = people[people["challenging"] == inside].groupby("arm")["y"].mean()
        plain[inside] = part["B"] - part["A"]
    assert result.inside.difference.estimate == pytest.approx(plain[True], abs=1e-12)
    assert result.outside.difference.estimate == pytest.approx(plain[False], abs=1e-12)
    assert result.interaction.estimate == pytest.approx(plain[True] - plain[False], abs=1e-12)


def test_fieller_is_where_the_linear_contrast_is_just_not_significant() -> None:
    means, covariance = np.array([1.24, 1.61]), np.array([[0.0034, 0.0004], [0.0004, 0.0027]])
    found = fieller(means, covariance, df=298, level=0.95)
    assert found is not None
    for bound in (found.low, found.high):
        contrast = np.array([-bound, 1.0])
        t = (contrast @ means) / math.sqrt(contrast @ covariance @ contrast)
        assert abs(t) == pytest.approx(stats.t.ppf(0.975, 298), rel=1e-9)


def test_fieller_is_none_where_the_first_mean_cannot_be_told_from_zero() -> None:
    assert fieller(np.array([0.01, 1.0]), np.eye(2), df=50, level=0.95) is None


def test_adjusted_means_differ_by_the_difference(people: pd.DataFrame) -> None:
    frame = people.assign(stratum=np.where(people["challenging"], "yes", "no"))
    result = ancova_means(frame, arms=ARMS, covariates=["stratum"])
    reference, other = result.arms
    assert other.adjusted.estimate - reference.adjusted.estimate == pytest.approx(result.difference.estimate)


# --- Posts --------------------------------------------------------------------------------


def test_post_effects_remove_the_bias_when_the_arms_skip_different_posts() -> None:
    replies = null_trial(np.random.default_rng(2), 200, 10, 10)
    easy = replies.groupby("post")["score"].mean().sort_values().index
    skips = {"A": easy[-4:], "B": easy[:4]}
    kept = pd.concat(part[~part["post"].isin(skips[str(arm)])] for arm, part in replies.groupby("arm"))
    raw, adjusted = (
        ancova_means(people_of(kept, participant_means(kept, arms=ARMS, adjust_posts=how)), arms=ARMS)
        for how in (False, True)
    )
    assert raw.difference.low > 0
    assert not adjusted.difference.excludes(0)


def test_post_effects_do_not_shrink_the_arm_effect_with_few_replies_to_each_post() -> None:
    r = np.random.default_rng(11)
    found = []
    for _ in range(30):
        trial = null_trial(r, 60, 10, 60, effect=0.6)
        means = participant_means(trial, arms=ARMS, adjust_posts=True)
        found.append(ancova_means(people_of(trial, means), arms=ARMS).difference.estimate)
    assert np.mean(found) == pytest.approx(0.6, abs=0.06)


def test_post_effects_are_nothing_where_posts_do_not_differ() -> None:
    frame = pd.DataFrame({"post": [1, 2] * 10, "arm": ["A", "A", "B", "B"] * 5, "score": [1.0, 1.0, 2.0, 2.0] * 5})
    assert post_effects(frame, arms=ARMS).abs().max() == 0


# --- Simulation ---------------------------------------------------------------------------


def test_a_t_test_on_replies_is_far_too_eager_and_participant_means_are_not() -> None:
    """Statistics: 2,000 trials of 300 x 10 gave 27.8 % for replies and 5.5 % for participants."""
    r = np.random.default_rng(5)
    naive = means = 0
    trials = 100
    for _ in range(trials):
        trial = null_trial(r, 60, 10, 60)
        groups = [trial.loc[trial["arm"] == arm, "score"] for arm in ARMS]
        naive += stats.ttest_ind(*groups).pvalue < 0.05
        people = people_of(trial, participant_means(trial, arms=ARMS, adjust_posts=True))
        p = ancova_means(people, arms=ARMS).difference.p
        means += p is not None and p < 0.05
    assert naive / trials > 0.15
    assert 0 < means / trials < 0.12


def test_ratio_interval_covers_the_planted_ratio() -> None:
    r = np.random.default_rng(9)
    covered, trials = 0, 2000
    for _ in range(trials):
        low, high = r.normal(1.5, 0.63, 40), r.normal(1.95, 0.63, 40)
        means = np.array([low.mean(), high.mean()])
        covariance = np.diag([low.var(ddof=1), high.var(ddof=1)]) / 40
        interval = log_delta(means, covariance, df=78, level=0.95)
        covered += interval.low <= 1.3 <= interval.high
    assert covered / trials == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / trials))


# --- Where there is no answer -------------------------------------------------------------


def people_with(a: list[float], b: list[float], **more: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"arm": ["A"] * len(a) + ["B"] * len(b), "y": [*a, *b], **more})


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (people_with([1.0, 2.0, 3.0], []), "arm B"),
        (people_with([], []), "arm A"),
        (people_with([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]), "same value"),
        (people_with([1.0, 2.0, 3.0], [float("nan")] * 3), "arm B"),
    ],
)
def test_a_difference_that_the_data_do_not_allow_is_refused_in_words(frame: pd.DataFrame, words: str) -> None:
    with pytest.raises(NotEstimableError, match=words):
        ancova_means(frame, arms=ARMS, minimum=2)


def test_a_ratio_to_a_mean_of_zero_is_refused() -> None:
    with pytest.raises(NotEstimableError, match="above 0"):
        ratio_of_means(people_with([0.0, 0.0, 0.0], [1.0, 2.0, 1.5]), arms=ARMS)


def test_a_log_ratio_too_large_for_a_number_is_refused() -> None:
    with pytest.raises(NotEstimableError, match="close to 0"):
        log_delta(np.array([1e-8, 1.0]), np.diag([1e-6, 0.01]), df=20, level=0.95)


def test_a_stratum_of_one_person_is_left_out_of_the_model_and_said_so() -> None:
    frame = people_with([1.0, 2.0, 3.0, 2.5], [2.0, 3.0, 4.0, 3.1], stratum=["x"] * 7 + ["lonely"])
    result = ancova_means(frame, arms=ARMS, covariates=["stratum"])
    assert any("stratum=" in note for note in result.notes)
    assert result.difference.estimate == pytest.approx(0.9, abs=1e-9)


def test_covariates_that_leave_nothing_to_estimate_with_are_dropped_and_said_so() -> None:
    frame = people_with([1.0, 2.0], [2.0, 3.5], x=[1.0, 2.0, 4.0, 8.0], z=[3.0, 1.0, 4.0, 1.0])
    result = ancova_means(frame, arms=ARMS, covariates=["x", "z"])
    assert any("too few" in note for note in result.notes)


def test_a_missing_baseline_keeps_the_participant() -> None:
    frame = people_with([1.0, 2.0, 3.0, 2.5], [2.0, 3.0, 4.0, 3.1], x=[1.0, 2.0, None, 3.0, 1.0, 2.0, 5.0, 4.0])
    result = ancova_means(frame.astype({"x": float}), arms=ARMS, covariates=["x"])
    assert [arm.n for arm in result.arms] == [4, 4]
    assert any("1 missing" in note for note in result.notes)


def test_a_subgroup_without_one_of_the_arms_is_refused() -> None:
    frame = people_with([1.0, 2.0, 3.0], [2.0, 3.0, 4.5], inside=[True, True, False, False, False, False])
    with pytest.raises(NotEstimableError, match="inside the subgroup"):
        subgroup_interaction(frame, arms=ARMS, minimum=1)


def test_a_proportion_of_nobody_is_refused() -> None:
    with pytest.raises(NotEstimableError, match="Too few answers"):
        one_proportion(pd.Series([], dtype=float), arm="A")


def test_everybody_saying_yes_has_an_interval_and_no_p() -> None:
    people = pd.DataFrame({"arm": ["A"] * 6 + ["B"] * 6, "yes": [1.0] * 12})
    effect = difference_in_proportions(people, arms=ARMS).difference
    assert effect.p is None
    assert effect.low < 0 < effect.high
