"""From labelled pairs to a release: cross-validation over seekers, calibration, figures, files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml import runtime
from ml.epitome import card
from ml.epitome.data import HELD_BACK, Example, folds, position
from ml.epitome.evaluate import measures, rationales, softmax, temperature
from ml.epitome.model import Config, Epitome, encode
from ml.epitome.scorer import WEIGHTS_FILE, passages, save
from ml.epitome.train import Raw, Recipe, Trainer, predict
from ml.releases import described
from ml.types import MECHANISMS

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
Figures = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Run:
    """Where one training run keeps its state, and how it is to be repeated."""

    name: str
    recipe: Recipe
    directory: Path
    device: torch.device
    stop: int | None = None

    def allowed(self, examples: Sequence[Example]) -> list[Example]:
        start, stop = self.recipe.share
        return [one for one in examples if start <= position(one.seeker_id) < stop]

    def unseen(self, examples: Sequence[Example]) -> list[Example]:
        start, stop = self.recipe.share
        return [one for one in examples if not start <= position(one.seeker_id) < stop]


def cross_validate(run: Run, examples: Sequence[Example], count: int) -> list[Figures]:
    """Figures on each fold's seekers of a model that saw none of them; finished folds are not repeated."""
    found = []
    for number, kept in enumerate(folds(examples, count=count, seed=run.recipe.seed), start=1):
        path = run.directory / f"fold-{number}-of-{count}.json"
        if not path.exists():
            seen = [one for one in run.allowed(examples) if one.seeker_id not in kept]
            tested = [one for one in examples if one.seeker_id in kept]
            trainer = Trainer(seen, run.recipe, run.device)
            model = trainer.run(path.with_suffix(".checkpoint"), label=f"{run.name} fold {number}/{count}")
            path.write_text(json.dumps(figures(model, tested)), encoding="utf-8")
        found.append(json.loads(path.read_text(encoding="utf-8")))
    return found


def summary(found: Sequence[Figures]) -> Figures:
    """Mean and standard deviation over folds of every figure."""
    keys = ("accuracy", "macro_f1", "qwk", "ece", "token_f1", "iou_f1")
    return {
        name: {
            key: [float(np.mean(values)), float(np.std(values, ddof=1))]
            for key in keys
            if (values := [one[name][key] for one in found])
        }
        for name in MECHANISMS
    }


def figures(
    model: Epitome,
    examples: Sequence[Example],
    temperatures: Sequence[float] = (1, 1, 1),
    thresholds: Sequence[float] = (0.3, 0.3, 0.3),
) -> Figures:
    raw = predict(model, encode([one.pair for one in examples], model.config), label="measure")
    labels = np.array([one.levels for one in examples])
    found: Figures = {}
    for m, name in enumerate(MECHANISMS):
        spans = _spans(examples, raw, m, thresholds[m])
        marked = rationales(examples, spans, m)
        everything = rationales(examples, [[(0, len(one.pair.response))] for one in examples], m)
        found[name] = measures(labels[:, m], softmax(raw.logits[:, m] / temperatures[m])) | {
            "token_f1": marked.token_f1,
            "iou_f1": marked.iou_f1,
            "token_f1_all": everything.token_f1,
            "iou_f1_all": everything.iou_f1,
            "n": len(examples),
        }
    return found


def _spans(examples: Sequence[Example], raw: Raw, mechanism: int, threshold: float) -> list[list[tuple[int, int]]]:
    return [
        passages(one.pair.response, marks[mechanism], offsets, threshold)
        for one, marks, offsets in zip(examples, raw.marks, raw.offsets, strict=True)
    ]


def calibrate(model: Epitome, examples: Sequence[Example]) -> tuple[list[float], list[float]]:
    """A temperature and a rationale threshold for each mechanism, from seekers that were not trained on."""
    if len(examples) < 30:
        return [1.0] * 3, [0.3] * 3
    raw = predict(model, encode([one.pair for one in examples], model.config), label="calibrate")
    labels = np.array([one.levels for one in examples])
    warmth = [temperature(labels[:, m], raw.logits[:, m]) for m in range(3)]
    cuts = [max(THRESHOLDS, key=partial(_rationale_f1, examples, raw, m)) for m in range(3)]
    return warmth, cuts


def _rationale_f1(examples: Sequence[Example], raw: Raw, mechanism: int, threshold: float) -> float:
    found = rationales(examples, _spans(examples, raw, mechanism, threshold), mechanism)
    return found.token_f1 + found.iou_f1


def train_release(run: Run, examples: Sequence[Example], out: Path, found: Sequence[Figures]) -> dict[str, Any]:
    """Train on the recipe's share of the seekers; write weights, `release.json` and the card to `out`."""
    seen, unseen = run.allowed(examples), run.unseen(examples)
    trainer = Trainer(seen, run.recipe, run.device)
    model = trainer.run(run.directory / "release.checkpoint", label=run.name, stop=run.stop)
    sha256 = save(model, out / WEIGHTS_FILE)
    held_back = [one for one in unseen if position(one.seeker_id) >= HELD_BACK]
    tested = [one for one in unseen if position(one.seeker_id) < HELD_BACK]
    temperatures, thresholds = calibrate(model, held_back)
    info = _release(run, model.config, sha256) | {
        "epochs_done": trainer.epoch,
        "temperatures": temperatures,
        "rationale_thresholds": thresholds,
        "trained_on": {"pairs": len(seen), "seekers": len({one.seeker_id for one in seen})},
        "figures": figures(model, tested, temperatures, thresholds) if tested else {},
        "folds": summary(found) if found else {},
    }
    write(info, out)
    return info


def _release(run: Run, config: Config, sha256: str) -> dict[str, Any]:
    return {
        "name": run.name,
        "version": datetime.now(UTC).strftime("%Y.%m.%d"),
        "sha256": sha256,
        "base": config.backbone,
        "base_sha256": runtime.MINILM_SHA256,
        "precision": "fp32",
        "config": config.stored(),
        "recipe": {key: value for key, value in run.recipe.stored().items() if key != "config"},
    }


def write(info: dict[str, Any], out: Path) -> None:
    (out / "release.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
    (out / "card.md").write_text(card.render(info), encoding="utf-8")
    described.cache_clear()
