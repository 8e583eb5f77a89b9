"""Logits become honest probabilities and margins in log-probability."""

from __future__ import annotations

import numpy as np
import pytest

from ml.epitome.calibration import FEWEST, Calibration, fit
from ml.epitome.data import Example
from ml.epitome.evaluate import softmax
from ml.epitome.inference import Raw
from ml.types import Pair

REPLY = "I am so sorry. Have some tea."
OFFSETS = [(0, 1), (2, 4), (5, 7), (8, 13), (13, 14), (15, 19), (20, 24), (25, 28), (28, 29)]
FIRST_SENTENCE = [4.0] * 5 + [-4.0] * 4


def examples(levels: list[int]) -> list[Example]:
    return [
        Example(f"s{i}", Pair(f"Post {i}", REPLY), (level, 0, 0), (("I am so sorry.",), (), ()))
        for i, level in enumerate(levels)
    ]


def raw(logits: np.ndarray) -> Raw:
    """The same marks for every reply: its first sentence carries emotional reactions."""
    flat = [-9.0] * len(OFFSETS)
    return Raw(logits, [[FIRST_SENTENCE, flat, flat] for _ in logits], [OFFSETS for _ in logits])


def test_a_higher_temperature_makes_less_sure_and_keeps_the_order() -> None:
    logits = np.array([[[2.0, 1.0, 0.0]] * 3])
    cool, warm = (Calibration((t, 1.0, 1.0)).probabilities(logits)[0] for t in (1.0, 2.0))
    assert warm[0, 0] < cool[0, 0]
    assert list(warm[0]) == sorted(warm[0], reverse=True)
    assert warm[1] == pytest.approx(cool[1])


def test_the_margin_is_that_of_the_closest_decision_after_temperature() -> None:
    logits = np.array([[[5.0, 0.0, 0.0], [3.0, 0.0, 1.0], [0.0, 4.0, 0.0]]])
    assert Calibration().margins(logits) == pytest.approx([2.0])
    assert Calibration((1.0, 2.0, 1.0)).margins(logits) == pytest.approx([1.0])


def test_too_few_pairs_fit_nothing() -> None:
    logits = np.random.default_rng(4).normal(size=(FEWEST - 1, 3, 3))
    assert fit(examples([0] * (FEWEST - 1)), raw(logits)) == Calibration()


def test_a_fit_warms_overconfident_logits_and_repeats() -> None:
    draw = np.random.default_rng(2)
    logits = draw.normal(size=(400, 3))
    labels = [int(draw.choice(3, p=row)) for row in softmax(logits)]
    answers = raw(np.repeat(3 * logits[:, None], 3, axis=1))
    found = fit(examples(labels), answers)
    assert found.temperatures[0] == pytest.approx(3, rel=0.25)
    assert found == fit(examples(labels), answers)


def test_a_calibration_is_read_back_as_it_was_stored() -> None:
    one = Calibration((1.1, 0.9, 2.0), (0.2, 0.3, 0.5))
    assert Calibration.read(one.stored()) == one


@pytest.mark.parametrize("part", ["temperatures", "thresholds"])
def test_a_stored_calibration_without_a_part_is_an_error(part: str) -> None:
    stored = Calibration().stored()
    del stored[part]
    with pytest.raises(KeyError, match=part):
        Calibration.read(stored)


def test_spans_follow_the_threshold_of_their_mechanism() -> None:
    answers = raw(np.zeros((1, 3, 3)))
    assert Calibration(thresholds=(0.5, 0.5, 0.5)).spans([REPLY], answers, 0) == [[(0, 14)]]
    assert Calibration(thresholds=(0.001, 0.5, 0.5)).spans([REPLY], answers, 0) == [[(0, 29)]]


@pytest.mark.parametrize(
    "change", [{"temperatures": [1.0, 1.0]}, {"thresholds": [0.3] * 4}, {"temperatures": [1.0, 0.0, 1.0]}]
)
def test_a_stored_calibration_of_another_shape_is_an_error(change: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match="three mechanisms"):
        Calibration.read(Calibration().stored() | change)
