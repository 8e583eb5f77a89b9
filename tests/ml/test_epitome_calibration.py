"""Logits become honest probabilities, levels that name rare ones too, and margins in log-probability."""

from __future__ import annotations

import numpy as np
import pytest

from ml.epitome.calibration import FEWEST, Calibration, bias, fit
from ml.epitome.data import Example
from ml.epitome.evaluate import class_f1, softmax
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


def rare_level(rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which one in ten is weak, and logits that lean to it there but never make it the likeliest."""
    labels = np.array([1 if i % 10 == 0 else 2 * (i % 2) for i in range(rows)])
    draw = np.random.default_rng(3)
    logits = np.where(labels[:, None] == np.arange(3), 3.0, 0.0) + draw.normal(0, 0.3, (rows, 3))
    logits[labels == 1] = [1.6, 1.0, 0.0]
    logits[labels != 1, 1] = -2.0
    return labels, logits


def test_biases_make_a_rare_level_be_named() -> None:
    labels, logits = rare_level()
    chances = softmax(logits)
    assert not (chances.argmax(1) == 1).any()
    found = Calibration(biases=(bias(labels, chances), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
    levels = found.levels(np.repeat(chances[:, None], 3, axis=1))
    assert class_f1(labels, levels[:, 0])[1] > 0.9
    assert not (levels[:, 1:] == 1).any()


def test_biases_leave_probabilities_as_they_are() -> None:
    logits = np.random.default_rng(1).normal(size=(20, 3, 3))
    biased = Calibration(biases=((0.0, 2.0, -0.5),) * 3)
    assert biased.probabilities(logits) == pytest.approx(Calibration().probabilities(logits))
    assert (biased.levels(biased.probabilities(logits)) != logits.argmax(-1)).any()


def test_a_higher_temperature_makes_less_sure_and_keeps_the_order() -> None:
    logits = np.array([[[2.0, 1.0, 0.0]] * 3])
    cool, warm = (Calibration((t, 1.0, 1.0)).probabilities(logits)[0] for t in (1.0, 2.0))
    assert warm[0, 0] < cool[0, 0]
    assert list(warm[0]) == sorted(warm[0], reverse=True)
    assert warm[1] == pytest.approx(cool[1])


def test_the_margin_is_that_of_the_closest_decision_after_temperature_and_bias() -> None:
    logits = np.array([[[5.0, 0.0, 0.0], [3.0, 0.0, 1.0], [0.0, 4.0, 0.0]]])
    assert Calibration().margins(logits) == pytest.approx([2.0])
    assert Calibration((1.0, 2.0, 1.0)).margins(logits) == pytest.approx([1.0])
    tied = Calibration(biases=((0.0, 0.0, 0.0), (0.0, 0.0, 2.0), (0.0, 0.0, 0.0)))
    assert tied.margins(logits) == pytest.approx([0.0], abs=1e-9)


def test_too_few_pairs_fit_nothing() -> None:
    labels, logits = rare_level(FEWEST - 1)
    assert fit(examples(list(labels)), raw(np.repeat(logits[:, None], 3, axis=1))) == Calibration()


def test_a_fit_warms_overconfident_logits_and_repeats_by_seed() -> None:
    draw = np.random.default_rng(2)
    logits = draw.normal(size=(400, 3))
    labels = [int(draw.choice(3, p=row)) for row in softmax(logits)]
    answers = raw(np.repeat(3 * logits[:, None], 3, axis=1))
    found = fit(examples(labels), answers)
    assert found.temperatures[0] == pytest.approx(3, rel=0.25)
    assert found == fit(examples(labels), answers)


def test_a_calibration_is_read_back_as_it_was_stored() -> None:
    one = Calibration((1.1, 0.9, 2.0), ((0.0, 0.4, -0.1),) * 3, (0.2, 0.3, 0.5))
    assert Calibration.read(one.stored()) == one


@pytest.mark.parametrize("part", ["temperatures", "biases", "thresholds"])
def test_a_stored_calibration_without_a_part_is_an_error(part: str) -> None:
    stored = Calibration().stored()
    del stored[part]
    with pytest.raises(KeyError, match=part):
        Calibration.read(stored)


def test_spans_follow_the_threshold_of_their_mechanism() -> None:
    answers = raw(np.zeros((1, 3, 3)))
    assert Calibration(thresholds=(0.5, 0.5, 0.5)).spans([REPLY], answers, 0) == [[(0, 14)]]
    assert Calibration(thresholds=(0.001, 0.5, 0.5)).spans([REPLY], answers, 0) == [[(0, 29)]]
