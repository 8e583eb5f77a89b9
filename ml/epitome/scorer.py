"""Scores expressed empathy with a frozen release: verified weights in, levels and rationales out."""

from __future__ import annotations

import logging
import math
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file

from ml import runtime
from ml.epitome.evaluate import softmax
from ml.epitome.model import Config, Epitome, encode
from ml.epitome.train import Raw, predict
from ml.releases import WeightsError, folder, manifest, sha256_of, verified
from ml.text import sentences
from ml.types import MECHANISMS, Distribution, Pair, Release, Score, Span

log = logging.getLogger(__name__)

CERTAINLY_NONE: Distribution = (1.0, 0.0, 0.0)
SILENT = Score(levels=(0, 0, 0), probabilities=(CERTAINLY_NONE,) * 3)
WEIGHTS_FILE = "model.safetensors"
GAP = 2  # characters between two marked sentences that still make one passage


class EpitomeScorer:
    """One release in memory. `temperatures` and `thresholds` follow `MECHANISMS`."""

    def __init__(
        self,
        release: Release,
        model: Epitome,
        *,
        temperatures: Sequence[float] = (1.0, 1.0, 1.0),
        thresholds: Sequence[float] = (0.3, 0.3, 0.3),
    ) -> None:
        self.release = release
        self.model = model
        self.temperatures = np.array(temperatures).reshape(1, 3, 1)
        self.thresholds = tuple(thresholds)

    def score(self, pairs: Sequence[Pair], *, progress: str = "") -> list[Score]:
        """One score a pair, in the order given. A reply without a letter or digit has level 0 throughout."""
        spoken = [i for i, pair in enumerate(pairs) if any(map(str.isalnum, pair.response))]
        scores = [SILENT] * len(pairs)
        encodings = encode([pairs[i] for i in spoken], self.model.config)
        replies = [pairs[i].response for i in spoken]
        raw = predict(self.model, encodings, label=progress)
        for i, found in zip(spoken, self._scores(replies, raw), strict=True):
            scores[i] = found
        return scores

    def _scores(self, replies: Sequence[str], raw: Raw) -> list[Score]:
        probabilities = softmax(raw.logits / self.temperatures)
        rows = zip(replies, probabilities, raw.marks, raw.offsets, strict=True)
        return [self._one(*row) for row in rows]

    def _one(
        self,
        reply: str,
        row: np.ndarray[Any, Any],
        marks: list[list[float]],
        offsets: list[tuple[int, int]],
    ) -> Score:
        er, ip, ex = (int(level) for level in row.argmax(-1))
        first, second, third = ((float(p[0]), float(p[1]), float(p[2])) for p in row)
        spans = [
            Span(name, start, stop)
            for m, name in enumerate(MECHANISMS)
            if (er, ip, ex)[m] > 0
            for start, stop in passages(reply, marks[m], offsets, self.thresholds[m])
        ]
        return Score((er, ip, ex), (first, second, third), tuple(spans))


def passages(
    reply: str, marks: Sequence[float], offsets: Sequence[tuple[int, int]], threshold: float
) -> list[tuple[int, int]]:
    """The sentences that carry a mechanism, as character spans; the likeliest one where none passes.

    People marked sentences and clauses, so a sentence is judged by the mean over its tokens.
    """
    parts = sentences(reply)
    starts = [part.start for part in parts]
    tokens: dict[int, list[float]] = {}
    for mark, (start, _) in zip(marks, offsets, strict=True):
        tokens.setdefault(max(0, bisect_right(starts, start) - 1), []).append(_chance(mark))
    means = {index: sum(found) / len(found) for index, found in tokens.items() if index < len(parts)}
    if not means:
        return []
    chosen = [index for index in sorted(means) if means[index] > threshold]
    chosen = chosen or [max(means, key=means.__getitem__)]
    return _joined([(parts[index].start, parts[index].stop) for index in chosen])


def _chance(mark: float) -> float:
    return 1 / (1 + math.exp(-mark)) if mark > -500 else 0.0


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbours with a space at most between them as one."""
    joined: list[tuple[int, int]] = []
    for start, stop in spans:
        if joined and start - joined[-1][1] <= GAP:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def load(name: str, *, root: Path | None = None, device: str = "cpu") -> EpitomeScorer:
    """The release `name`, its weights and its backbone verified before use."""
    directory = folder(f"epitome-{name}", root=root)
    info = manifest(directory)
    try:
        config = Config(**info["config"])
        if info["base_sha256"] != runtime.MINILM_SHA256:
            raise WeightsError(f"{directory.name} was trained on another backbone")
        values = load_tensors(verified(directory / WEIGHTS_FILE, info["sha256"]).read_bytes())
    except (KeyError, TypeError, SafetensorError) as error:
        raise WeightsError(f"{directory.name} is not a readable release: {error}") from error
    release = Release(info["name"], info["version"], info["sha256"])
    return _ready(release, config, values, info, device)


def _ready(
    release: Release, config: Config, values: dict[str, torch.Tensor], info: dict[str, Any], device: str
) -> EpitomeScorer:
    model = Epitome(config)
    model.load_trained({name: value.float() for name, value in values.items()})
    model.merge().to(runtime.device(device))
    dtype = runtime.precision(info.get("precision", "fp32"))
    model.encoder.to(dtype)
    log.info("scorer %s ready in %s", release, dtype)
    return EpitomeScorer(release, model, temperatures=info["temperatures"], thresholds=info["rationale_thresholds"])


def save(model: Epitome, path: Path) -> str:
    """Write the trained part in half precision; returns the file's SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().cpu().half() for name, value in model.trained().items()}, path)
    path.chmod(0o644)
    return sha256_of(path)
