"""From a network's logits to probabilities that mean what they say, and to marked passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from ml.epitome.data import Example
from ml.epitome.evaluate import Floats, Interval, rationales, softmax, temperature
from ml.epitome.inference import Raw
from ml.epitome.passages import passages
from ml.types import MECHANISMS

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
FEWEST = 30  # below so many pairs nothing is fitted


@dataclass(frozen=True)
class Calibration:
    """Per mechanism: a temperature, and the share above which a sentence is a rationale."""

    temperatures: tuple[float, ...] = (1.0, 1.0, 1.0)
    thresholds: tuple[float, ...] = (0.3, 0.3, 0.3)

    def stored(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, stored: dict[str, Any]) -> Calibration:
        """Raises ValueError where it is not one of three mechanisms."""
        found = cls(
            tuple(map(float, stored["temperatures"])),
            tuple(map(float, stored["thresholds"])),
        )
        if len(found.temperatures) != 3 or len(found.thresholds) != 3 or min(found.temperatures) <= 0:
            raise ValueError("the calibration is not one of three mechanisms")
        return found

    def probabilities(self, logits: Floats) -> Floats:
        """`[n, mechanism, level]`, from logits of the same shape."""
        return softmax(logits / np.array(self.temperatures).reshape(1, 3, 1))

    def margins(self, logits: Floats) -> Floats:
        """`[n]`: by how much the closest of the three decisions was taken, in log-probability."""
        ordered = np.sort(logits / np.array(self.temperatures).reshape(1, 3, 1), -1)
        nearest: Floats = (ordered[..., -1] - ordered[..., -2]).min(-1)
        return nearest

    def spans(self, replies: Sequence[str], raw: Raw, mechanism: int) -> list[list[Interval]]:
        """The passages of each reply that carry the mechanism, whatever its level."""
        return [
            passages(reply, marks[mechanism], offsets, self.thresholds[mechanism])
            for reply, marks, offsets in zip(replies, raw.marks, raw.offsets, strict=True)
        ]


def fit(examples: Sequence[Example], raw: Raw) -> Calibration:
    """The calibration that suits seekers who were not trained on."""
    if len(examples) < FEWEST:
        return Calibration()
    labels = np.array([one.levels for one in examples])
    warmth = tuple(temperature(labels[:, m], raw.logits[:, m]) for m in range(3))
    cuts = tuple(max(THRESHOLDS, key=partial(_rationale_f1, examples, raw, m)) for m in range(3))
    return Calibration(warmth, cuts)


def _rationale_f1(examples: Sequence[Example], raw: Raw, mechanism: int, threshold: float) -> float:
    cut = Calibration(thresholds=(threshold,) * len(MECHANISMS))
    spans = cut.spans([one.pair.response for one in examples], raw, mechanism)
    found = rationales(examples, spans, mechanism)
    return found.token_f1 + found.iou_f1
