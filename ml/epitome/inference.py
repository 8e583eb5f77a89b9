"""Many pairs through a network at once: like lengths share a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ml.epitome.model import Encoding, Network, collate


@dataclass
class Raw:
    """What the network says before calibration: `logits [n, 3, 3]`, `marks[n][m][token]`, offsets."""

    logits: np.ndarray[Any, np.dtype[np.float64]]
    marks: list[list[list[float]]]
    offsets: list[list[tuple[int, int]]]

    def replace(self, rows: Sequence[int], other: Raw) -> None:
        """Put what `other` says of its i-th pair in place of row `rows[i]`."""
        for row, logits, marks in zip(rows, other.logits, other.marks, strict=True):
            self.logits[row], self.marks[row] = logits, marks


def predict(
    model: Network, encodings: Sequence[Encoding], *, fast: bool = False, size: int = 32, label: str = ""
) -> Raw:
    """The answers in the order of the question; `fast` multiplies in bfloat16."""
    order = sorted(range(len(encodings)), key=lambda i: len(encodings[i]))
    logits = np.zeros((len(encodings), 3, 3))
    marks: list[list[list[float]]] = [[] for _ in encodings]
    device = next(model.parameters()).device
    starts = range(0, len(order), size)
    model.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=fast):
        for start in tqdm(starts, desc=label, unit="batch", disable=not label, mininterval=5):
            chosen = order[start : start + size]
            batch = collate([encodings[i] for i in chosen], model.backbone).to(device)
            found, marked = model(batch)
            logits[chosen] = found.float().cpu().numpy()
            for row, i in enumerate(chosen):
                marks[i] = marked[row][:, batch.response[row]].float().tolist()
    return Raw(logits, marks, [one.offsets for one in encodings])
