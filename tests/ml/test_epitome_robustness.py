"""Shifts and differences of a scorer whose answers are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from ml.epitome.perturbations import Contrast, Perturbation
from ml.epitome.robustness import FEWEST, Report, distinct, estimate, report, sample, table, versions
from ml.types import Pair, Score

PAIRS = [Pair(f"Post {i}", f"reply {i}" if i % 2 else f"Reply {i}") for i in range(40)]


def lowered(pair: Pair, _: object) -> Pair:
    return Pair(pair.seeker, pair.response.lower())


def ended(end: str) -> Perturbation:
    return Perturbation(end, lambda pair, _: Pair(pair.seeker, pair.response + end))


def scored_by(pairs: list[Pair]) -> dict[Pair, Score]:
    """A capital is worth one level of emotional reactions, each mark of exclamation one of explorations."""
    return {pair: _score(int(pair.response[0].isupper()), pair.response.count("!")) for pair in pairs}


def _score(er: int, ex: int) -> Score:
    first, third = (tuple(float(k == level) for k in range(3)) for level in (er, ex))
    return Score((er, 0, ex), (first, (1.0, 0.0, 0.0), third))


def reported(*perturbations: Perturbation, contrasts: tuple[Contrast, ...] = ()) -> Report:
    found = versions(PAIRS, 1, perturbations)
    return report(found, scored_by(distinct(found)), contrasts)


def test_a_shift_is_a_mean_over_the_replies_that_changed() -> None:
    (shift,) = reported(Perturbation("lower", lowered)).shifts
    assert shift.changed == 20
    assert shift.shift.mean == pytest.approx(-1)
    assert shift.absolute == pytest.approx(1)
    assert shift.same == (0, 1, 1)


def test_a_perturbation_that_changes_too_few_has_no_mean() -> None:
    rare = Perturbation("rare", lambda pair, _: Pair(pair.seeker, pair.response.replace("reply 1", "reply one")))
    found = reported(rare)
    (shift,) = found.shifts
    assert 0 < shift.changed < FEWEST
    assert shift.shift is None
    assert f"| rare | {shift.changed} of 40 | too few |  |  |" in table(found)


def test_a_difference_is_between_versions_of_the_same_pair() -> None:
    groups = (Contrast("two and one", ("!!",), ("!",)), Contrast("none", ("!",), ("!",)))
    apart, none = reported(ended("!"), ended("!!"), contrasts=groups).differences
    assert (apart.pairs, apart.difference.mean) == (40, pytest.approx(1))
    assert (none.pairs, none.difference) == (0, None)


def test_a_side_of_several_versions_counts_as_their_mean() -> None:
    groups = (Contrast("mean", ("!", "!!"), ("?",)),)
    (found,) = reported(ended("!"), ended("!!"), ended("?"), contrasts=groups).differences
    assert found.difference.mean == pytest.approx(1.5)


def test_the_interval_is_the_normal_one_of_the_mean() -> None:
    values = np.random.default_rng(1).normal(0.3, 1, 400)
    found = estimate(values)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std(ddof=1) / 20)
    assert (found.low + found.high) / 2 == pytest.approx(found.mean)
    assert str(estimate(np.array([1.0, 1.0]))) == "+1.000 (+1.000 to +1.000)"


def test_versions_repeat_by_seed() -> None:
    noisy = Perturbation("noisy", lambda pair, chance: Pair(pair.seeker, f"{pair.response} {chance.random()}"))
    assert versions(PAIRS, 1, [noisy]) == versions(PAIRS, 1, [noisy])
    assert versions(PAIRS, 1, [noisy]) != versions(PAIRS, 2, [noisy])


def test_every_text_is_scored_once() -> None:
    found = versions(PAIRS, 1, [Perturbation("lower", lowered)])
    assert len(distinct(found)) == 60


def test_a_sample_is_of_different_pairs_that_say_something() -> None:
    silent = [Pair("Post", ""), Pair("Post", "💛")]
    assert sorted(sample([*PAIRS, *PAIRS, *silent], 100, 1), key=str) == sorted(PAIRS, key=str)
    assert sample(PAIRS, 5, 1) == sample(PAIRS, 5, 1)
    assert len(sample(PAIRS, 5, 1)) == 5


def test_the_table_has_a_row_a_perturbation_and_a_row_a_difference() -> None:
    lines = table(reported(ended("!"), ended("!!"), contrasts=(Contrast("more", ("!!",), ("!",)),))).splitlines()
    assert lines[0] == "40 pairs, expected total 0.50 (standard deviation 0.51)."
    assert "| ! | 40 of 40 | +1.000 (+1.000 to +1.000) | 1.000 | 100 / 100 / 0 |" in lines
    assert "| more | 40 | +1.000 (+1.000 to +1.000) |" in lines
