"""Figures of agreement, checked against values worked by hand or by closed form."""

from __future__ import annotations

import numpy as np
import pytest

from ml.epitome.agreement import agreement, table
from ml.epitome.data import Example
from ml.epitome.evaluate import (
    calibration_error,
    class_f1,
    compare,
    measures,
    quadratic_kappa,
    rationales,
    softmax,
    temperature,
)
from ml.types import Pair, Score

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 2, 2])


def test_f1_per_class_follows_its_definition() -> None:
    assert class_f1(LABELS, PREDICTED) == pytest.approx([0.8, 0.5, 2 / 3])


def test_a_class_that_nobody_names_counts_as_zero() -> None:
    assert class_f1(np.array([0, 0]), np.array([0, 0])) == [1.0, 0.0, 0.0]


def test_quadratic_kappa_agrees_with_the_correlation_form_for_equal_margins() -> None:
    # With equal margins quadratic kappa is Pearson's r (Fleiss and Cohen 1973).
    one, other = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 2, 2, 0, 1, 1])
    assert quadratic_kappa(one, other) == pytest.approx(np.corrcoef(one, other)[0, 1])


def test_quadratic_kappa_has_its_ends() -> None:
    assert quadratic_kappa(LABELS, LABELS) == 1
    assert quadratic_kappa(np.array([0, 2]), np.array([2, 0])) == -1
    assert quadratic_kappa(np.array([1, 1]), np.array([1, 1])) == 1


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    sure = np.tile([0.9, 0.05, 0.05], (10, 1))
    labels = np.array([0] * 6 + [1] * 4)
    assert calibration_error(labels, sure) == pytest.approx(0.3)


def test_temperature_recovers_how_overconfident_logits_are() -> None:
    draw = np.random.default_rng(1)
    logits = draw.normal(size=(4000, 3))
    labels = np.array([draw.choice(3, p=row) for row in softmax(logits)])
    assert temperature(labels, 2.5 * logits) == pytest.approx(2.5, rel=0.1)


def test_measures_report_every_figure_of_the_command() -> None:
    found = measures(LABELS, np.eye(3)[PREDICTED])
    assert set(found) == {"accuracy", "macro_f1", "qwk", "f1", "ece"}
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["macro_f1"] == pytest.approx(np.mean([0.8, 0.5, 2 / 3]))
    assert found["ece"] == pytest.approx(2 / 6)


def labelled(response: str, passage: str, level: int = 1) -> Example:
    return Example("s", Pair("A post", response), (level, 0, 0), ((passage,), (), ()))


def test_rationales_are_compared_word_by_word_above_level_0_only() -> None:
    examples = [labelled("I am so sorry. Try tea.", "I am so sorry."), labelled("No.", "No.", level=0)]
    perfect = rationales(examples, [[(0, 14)], []], 0)
    assert (perfect.token_f1, perfect.iou_f1, perfect.n) == (1, 1, 1)
    everything = rationales(examples, [[(0, 23)], []], 0)
    assert everything.token_f1 == pytest.approx(2 * 4 / 10)
    assert everything.iou_f1 == 1
    assert rationales(examples, [[(15, 23)], []], 0).token_f1 == 0


def test_comparison_counts_rows_and_names_mechanisms() -> None:
    score = Score((1, 0, 0), ((0.1, 0.8, 0.1), (1, 0, 0), (1, 0, 0)))
    report = compare([labelled("I am sorry.", "I am sorry.")], [score])
    assert set(report) == {"er", "ip", "ex", "n"}
    assert report["n"] == 1
    assert report["er"]["accuracy"] == 1


def scored(*levels: tuple[int, int, int]) -> list[Score]:
    return [Score(each, tuple(tuple(float(k == level) for k in range(3)) for level in each)) for each in levels]


def test_agreement_sets_shared_errors_beside_what_chance_would_give() -> None:
    examples = [Example("s", Pair("A post", str(i)), (i % 3, 0, 0), ((), (), ())) for i in range(4)]
    first = scored((0, 0, 0), (1, 0, 0), (0, 0, 0), (1, 0, 0))
    second = scored((0, 0, 0), (2, 0, 0), (0, 0, 0), (0, 0, 0))
    report = agreement(examples, first, second)
    assert report["er"]["each_other"][0] == 0.5
    assert report["er"]["first_labels"][0] == 0.5
    assert report["er"]["both_wrong"] == 0.25
    assert report["er"]["both_wrong_by_chance"] == 0.25
    assert report["ip"]["each_other"] == [1.0, 1.0]
    assert report["total"]["first_labels"] == pytest.approx(np.corrcoef([0, 1, 0, 1], [0, 1, 2, 0])[0, 1])
    shown = table(report, ["outcome", "reward"]).splitlines()
    assert shown[0].count("|") == shown[2].count("|") == shown[5].count("|")
