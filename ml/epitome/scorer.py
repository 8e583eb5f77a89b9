"""Scores expressed empathy with a frozen release: verified weights in, levels and rationales out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file

from ml import backbones, runtime
from ml.epitome.architectures import build
from ml.epitome.calibration import Calibration
from ml.epitome.inference import Raw, predict
from ml.epitome.model import Config, Network, encode
from ml.releases import WeightsError, folder, manifest, sha256_of, verified
from ml.types import MECHANISMS, Distribution, Pair, Release, Score, Span

log = logging.getLogger(__name__)

CERTAINLY_NONE: Distribution = (1.0, 0.0, 0.0)
SILENT = Score(levels=(0, 0, 0), probabilities=(CERTAINLY_NONE,) * 3)
WEIGHTS_FILE = "model.safetensors"
BATCH = 16
CLOSE = 0.08  # decisions closer than this in log-probability are taken in float32; bfloat16 moves them by .05 at most


class EpitomeScorer:
    """One release in memory.

    `fast` multiplies in bfloat16 and computes pairs whose decision is close again in float32, so that the
    levels are those of float32 throughout.
    """

    def __init__(
        self, release: Release, model: Network, calibration: Calibration | None = None, *, fast: bool = False
    ) -> None:
        self.release = release
        self.model = model
        self.calibration = calibration or Calibration()
        self.fast = fast
        self.quick = model.quickened() if fast else model
        model.prepacked()

    def score(self, pairs: Sequence[Pair], *, progress: str = "") -> list[Score]:
        """One score a pair, in the order given. A reply without a letter or digit has level 0 throughout."""
        spoken = [i for i, pair in enumerate(pairs) if any(map(str.isalnum, pair.response))]
        scores = [SILENT] * len(pairs)
        raw = self.raw([pairs[i] for i in spoken], progress=progress)
        for i, found in zip(spoken, self._scores([pairs[i].response for i in spoken], raw), strict=True):
            scores[i] = found
        return scores

    def raw(self, pairs: Sequence[Pair], *, progress: str = "") -> Raw:
        """What the network says of each pair, before calibration."""
        encodings = encode(pairs, self.model.config)
        found = predict(self.quick, encodings, size=BATCH, label=progress)
        if self.fast and pairs:
            close = np.flatnonzero(self.calibration.margins(found.logits) < CLOSE).tolist()
            found.replace(close, predict(self.model, [encodings[i] for i in close]))
        return found

    def _scores(self, replies: Sequence[str], raw: Raw) -> list[Score]:
        if not replies:
            return []
        probabilities = self.calibration.probabilities(raw.logits)
        levels = probabilities.argmax(-1)
        spans = [self.calibration.spans(replies, raw, m) for m in range(len(MECHANISMS))]
        return [
            _one(levels[i], probabilities[i], [spans[m][i] for m in range(len(MECHANISMS))])
            for i in range(len(replies))
        ]


def _one(levels: np.ndarray[Any, Any], row: np.ndarray[Any, Any], spans: list[list[tuple[int, int]]]) -> Score:
    er, ip, ex = (int(level) for level in levels)
    first, second, third = ((float(p[0]), float(p[1]), float(p[2])) for p in row)
    found = [Span(name, *span) for m, name in enumerate(MECHANISMS) if (er, ip, ex)[m] > 0 for span in spans[m]]
    return Score((er, ip, ex), (first, second, third), tuple(found))


def load(name: str, *, root: Path | None = None, device: str = "cpu") -> EpitomeScorer:
    """The release `name`, its weights and its backbone verified before use."""
    directory = folder(f"epitome-{name}", root=root)
    info = manifest(directory)
    try:
        config = Config(**info["config"])
        Calibration.read(info["calibration"])
        if info["base_sha256"] != backbones.backbone(config.backbone).sha256:
            raise WeightsError(f"{directory.name} was trained on another backbone")
        values = load_tensors(verified(directory / WEIGHTS_FILE, info["sha256"]).read_bytes())
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise WeightsError(f"{directory.name} is not a readable release: {error}") from error
    release = Release(info["name"], info["version"], info["sha256"])
    return _ready(release, config, values, info, device)


def _ready(
    release: Release, config: Config, values: dict[str, torch.Tensor], info: dict[str, Any], device: str
) -> EpitomeScorer:
    model = build(config)
    model.load_trained({name: value.float() for name, value in values.items()})
    model.merge().to(runtime.device(device))
    fast = runtime.precision() == torch.bfloat16
    log.info("scorer %s ready, %s", release, "bfloat16 where it is safe" if fast else "float32")
    return EpitomeScorer(release, model, Calibration.read(info["calibration"]), fast=fast)


def save(model: Network, path: Path) -> str:
    """Write the trained part in half precision; returns the file's SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().cpu().half() for name, value in model.trained().items()}, path)
    path.chmod(0o644)
    return sha256_of(path)
