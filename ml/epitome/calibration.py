"""From a network's logits to probabilities that mean what they say, levels, and marked passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from ml.epitome.data import Example
from ml.epitome.evaluate import Floats, Interval, Ints, class_f1, rationales, softmax, temperature
from ml.epitome.inference import Raw
from ml.epitome.passages import passages
from ml.types import MECHANISMS

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
WEAK, STRONG = np.arange(-0.4, 2.05, 0.1), np.arange(-0.6, 1.25, 0.1)
RESAMPLES = 15
FEWEST = 30  # below so many pairs nothing is fitted


@dataclass(frozen=True)
class Calibration:
    """Per mechanism: a temperature, what is added to each level's log-probability before the largest is
    taken, and the share above which a sentence is a rationale."""

    temperatures: tuple[float, ...] = (1.0, 1.0, 1.0)
    biases: tuple[tuple[float, ...], ...] = ((0.0, 0.0, 0.0),) * 3
    thresholds: tuple[float, ...] = (0.3, 0.3, 0.3)

    def stored(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, stored: dict[str, Any]) -> Calibration:
        """Raises ValueError where it is not one of three mechanisms and three levels."""
        found = cls(
            tuple(map(float, stored["temperatures"])),
            tuple(tuple(map(float, row)) for row in stored["biases"]),
            tuple(map(float, stored["thresholds"])),
        )
        shapes = [len(found.temperatures), len(found.thresholds), len(found.biases), *map(len, found.biases)]
        if set(shapes) != {3} or min(found.temperatures) <= 0:
            raise ValueError("the calibration is not one of three mechanisms and three levels")
        return found

    def probabilities(self, logits: Floats) -> Floats:
        """`[n, mechanism, level]`, from logits of the same shape."""
        return softmax(logits / np.array(self.temperatures).reshape(1, 3, 1))

    def levels(self, probabilities: Floats) -> Ints:
        """`[n, mechanism]`: the level that serves all three levels' F1 best, not always the likeliest."""
        found: Ints = (np.log(np.maximum(probabilities, 1e-9)) + np.array(self.biases)).argmax(-1)
        return found

    def margins(self, logits: Floats) -> Floats:
        """`[n]`: by how much the closest of the three decisions was taken, in log-probability."""
        scaled = np.log(np.maximum(self.probabilities(logits), 1e-9)) + np.array(self.biases)
        ordered = np.sort(scaled, -1)
        nearest: Floats = (ordered[..., -1] - ordered[..., -2]).min(-1)
        return nearest

    def spans(self, replies: Sequence[str], raw: Raw, mechanism: int) -> list[list[Interval]]:
        """The passages of each reply that carry the mechanism, whatever its level."""
        return [
            passages(reply, marks[mechanism], offsets, self.thresholds[mechanism])
            for reply, marks, offsets in zip(replies, raw.marks, raw.offsets, strict=True)
        ]


def fit(examples: Sequence[Example], raw: Raw, seed: int = 0) -> Calibration:
    """The calibration that suits seekers who were not trained on."""
    if len(examples) < FEWEST:
        return Calibration()
    labels = np.array([one.levels for one in examples])
    warmth = tuple(temperature(labels[:, m], raw.logits[:, m]) for m in range(3))
    sure = Calibration(warmth).probabilities(raw.logits)
    biases = tuple(bias(labels[:, m], sure[:, m], seed) for m in range(3))
    cuts = tuple(max(THRESHOLDS, key=partial(_rationale_f1, examples, raw, m)) for m in range(3))
    return Calibration(warmth, biases, cuts)


def bias(labels: Ints, probabilities: Floats, seed: int = 0) -> tuple[float, float, float]:
    """What to add to the log-probabilities of weak and strong for the best macro-F1.

    Rare levels are seldom the likeliest, so the plain maximum never names them. The best pair is found
    in bootstrap resamples and averaged, since one sample's best fits that sample's chance.
    """
    draw = np.random.default_rng(seed)
    logs = np.log(np.maximum(probabilities, 1e-9))
    found = []
    for _ in range(RESAMPLES):
        rows = draw.integers(0, len(labels), len(labels))
        found.append(_best(labels[rows], logs[rows]))
    weak, strong = np.mean(found, axis=0)
    return 0.0, float(weak), float(strong)


def _best(labels: Ints, logs: Floats) -> tuple[float, float]:
    pairs = [(float(weak), float(strong)) for weak in WEAK for strong in STRONG]
    return max(pairs, key=lambda pair: _macro_f1(labels, logs, pair))


def _macro_f1(labels: Ints, logs: Floats, pair: tuple[float, float]) -> float:
    """Macro-F1, with accuracy as a tie-break worth a fifth of it."""
    predicted = (logs + np.array([0.0, *pair])).argmax(1)
    return float(np.mean(class_f1(labels, predicted))) + 0.2 * float((predicted == labels).mean())


def _rationale_f1(examples: Sequence[Example], raw: Raw, mechanism: int, threshold: float) -> float:
    cut = Calibration(thresholds=(threshold,) * len(MECHANISMS))
    spans = cut.spans([one.pair.response for one in examples], raw, mechanism)
    found = rationales(examples, spans, mechanism)
    return found.token_f1 + found.iou_f1
