"""Agreement of predicted levels and rationales with labels; NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.epitome.data import Example
from ml.types import MECHANISMS, Score

LEVELS = 3
BINS = 15
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Interval = tuple[int, int]


def confusion(labels: Ints, predicted: Ints) -> Floats:
    table = np.zeros((LEVELS, LEVELS))
    np.add.at(table, (labels, predicted), 1)
    return table


def class_f1(labels: Ints, predicted: Ints) -> list[float]:
    table = confusion(labels, predicted)
    total = table.sum(0) + table.sum(1)
    return [float(2 * table[k, k] / total[k]) if total[k] else 0.0 for k in range(LEVELS)]


def quadratic_kappa(labels: Ints, predicted: Ints) -> float:
    """Cohen's kappa with squared distances; 1 where both say one same level throughout."""
    table = confusion(labels, predicted)
    chance = np.outer(table.sum(1), table.sum(0)) / max(table.sum(), 1)
    distance = np.subtract.outer(np.arange(LEVELS), np.arange(LEVELS)) ** 2
    expected = (distance * chance).sum()
    return float(1 - (distance * table).sum() / expected) if expected else 1.0


def reliability(labels: Ints, probabilities: Floats) -> list[tuple[float, float, int]]:
    """(mean confidence, accuracy, rows) of each filled bin of confidence."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        (float(confidence[place == b].mean()), float(right[place == b].mean()), int((place == b).sum()))
        for b in range(BINS)
        if (place == b).any()
    ]


def calibration_error(labels: Ints, probabilities: Floats) -> float:
    curve = reliability(labels, probabilities)
    return sum(rows * abs(accuracy - confidence) for confidence, accuracy, rows in curve) / len(labels)


def measures(labels: Ints, probabilities: Floats, predicted: Ints | None = None) -> dict[str, Any]:
    """What `evaluate` reports of one mechanism."""
    predicted = probabilities.argmax(1) if predicted is None else predicted
    f1 = class_f1(labels, predicted)
    return {
        "accuracy": float((labels == predicted).mean()),
        "macro_f1": float(np.mean(f1)),
        "qwk": quadratic_kappa(labels, predicted),
        "f1": f1,
        "ece": calibration_error(labels, probabilities),
    }


def compare(examples: Sequence[Example], scores: Sequence[Score]) -> dict[str, Any]:
    labels = np.array([example.levels for example in examples])
    predicted = np.array([score.levels for score in scores])
    probabilities = np.array([score.probabilities for score in scores])
    report: dict[str, Any] = {
        name: measures(labels[:, m], probabilities[:, m], predicted[:, m]) for m, name in enumerate(MECHANISMS)
    }
    return report | {"n": len(examples)}


def temperature(labels: Ints, logits: Floats) -> float:
    """The one number by which to divide the logits so that they say how sure to be."""
    candidates = np.exp(np.linspace(np.log(0.3), np.log(5), 400))
    return float(min(candidates, key=lambda t: _surprise(labels, logits / t)))


def _surprise(labels: Ints, logits: Floats) -> float:
    return float(-np.log(np.maximum(softmax(logits)[np.arange(len(labels)), labels], 1e-12)).mean())


def softmax(logits: Floats) -> Floats:
    raised: Floats = np.exp(logits - logits.max(-1, keepdims=True))
    shares: Floats = raised / raised.sum(-1, keepdims=True)
    return shares


@dataclass(frozen=True)
class RationaleFigures:
    """Over the `n` rows whose level is above 0 and whose rationale stands in the response."""

    token_f1: float
    iou_f1: float
    n: int


def rationales(examples: Sequence[Example], spans: Sequence[Sequence[Interval]], mechanism: int) -> RationaleFigures:
    """Token F1 (mean over rows) and IOU-F1 (threshold .5) over whole words, on rows above level 0."""
    token_f1, hits, predicted_runs, gold_runs = [], 0.0, 0, 0
    for example, found in zip(examples, spans, strict=True):
        truth = example.spans(mechanism)
        if example.levels[mechanism] == 0 or not truth:
            continue
        gold, guess = _words(example.pair.response, truth), _words(example.pair.response, found)
        token_f1.append(_overlap_f1(gold, guess))
        ours, theirs = _runs(guess), _runs(gold)
        hits += sum(any(_iou(one, other) >= 0.5 for other in theirs) for one in ours)
        predicted_runs, gold_runs = predicted_runs + len(ours), gold_runs + len(theirs)
    iou_f1 = 2 * hits / max(predicted_runs + gold_runs, 1)
    return RationaleFigures(float(np.mean(token_f1 or [0.0])), min(iou_f1, 1.0), len(token_f1))


def _words(text: str, spans: Sequence[Interval]) -> list[bool]:
    """For each word, whether a span touches it."""
    marks, start = [], 0
    for word in text.split():
        start = text.index(word, start)
        stop = start + len(word)
        marks.append(any(a < stop and start < b for a, b in spans))
        start = stop
    return marks


def _overlap_f1(gold: list[bool], guess: list[bool]) -> float:
    both = sum(a and b for a, b in zip(gold, guess, strict=True))
    return 2 * both / max(sum(gold) + sum(guess), 1)


def _runs(marks: list[bool]) -> list[Interval]:
    found, start = [], 0
    for marked, group in groupby(marks):
        stop = start + len(list(group))
        if marked:
            found.append((start, stop))
        start = stop
    return found


def _iou(one: Interval, other: Interval) -> float:
    both = max(0, min(one[1], other[1]) - max(one[0], other[0]))
    return both / (one[1] - one[0] + other[1] - other[0] - both)
