"""From labelled pairs to a release: cross-validation over seekers, calibration, figures, files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml import backbones
from ml.epitome import calibration, card
from ml.epitome.calibration import Calibration
from ml.epitome.data import HELD_BACK, Example, folds, position
from ml.epitome.evaluate import measures, rationales, reliability
from ml.epitome.inference import Raw, predict
from ml.epitome.model import Config, Network, encode
from ml.epitome.scorer import WEIGHTS_FILE, save
from ml.epitome.train import Recipe, Trainer
from ml.releases import described
from ml.types import MECHANISMS

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
        """Seekers that the release has not trained on and that are not held back for the last comparison."""
        start, stop = self.recipe.share
        return [
            one
            for one in examples
            if not start <= position(one.seeker_id) < stop and position(one.seeker_id) < HELD_BACK
        ]


@dataclass(frozen=True)
class Fold:
    """What a model that saw none of these seekers says of their pairs."""

    examples: list[Example]
    raw: Raw


def cross_validate(run: Run, examples: Sequence[Example], count: int) -> list[Fold]:
    """One model a fold, trained on all other seekers; finished folds are read back, not repeated."""
    found = []
    for number, kept in enumerate(folds(examples, count=count, seed=run.recipe.seed), start=1):
        path = run.directory / f"fold-{number}-of-{count}.json"
        tested = [one for one in examples if one.seeker_id in kept]
        if not path.exists():
            seen = [one for one in examples if one.seeker_id not in kept]
            trainer = Trainer(seen, run.recipe, run.device)
            checkpoint = path.with_suffix(".checkpoint")
            model = trainer.run(checkpoint, label=f"{run.name} fold {number}/{count}")
            _write_raw(path, _raw(model, tested, fast=trainer.fast))
            checkpoint.unlink()
        found.append(Fold(tested, _read_raw(path)))
    return found


def _raw(model: Network, examples: Sequence[Example], *, fast: bool = False) -> Raw:
    return predict(model, encode([one.pair for one in examples], model.config), fast=fast, label="measure")


def _write_raw(path: Path, raw: Raw) -> None:
    stored = asdict(raw) | {"logits": raw.logits.tolist()}
    path.write_text(json.dumps(stored), encoding="utf-8")


def _read_raw(path: Path) -> Raw:
    stored = json.loads(path.read_text(encoding="utf-8"))
    return Raw(np.array(stored["logits"]), stored["marks"], [[tuple(o) for o in row] for row in stored["offsets"]])


def pooled(found: Sequence[Fold]) -> Fold:
    raws = [fold.raw for fold in found]
    return Fold(
        [one for fold in found for one in fold.examples],
        Raw(
            np.concatenate([raw.logits for raw in raws]),
            [row for raw in raws for row in raw.marks],
            [row for raw in raws for row in raw.offsets],
        ),
    )


def fold_figures(found: Sequence[Fold]) -> list[Figures]:
    """Figures on each fold, calibrated on the other folds alone."""
    return [figures(fold, _calibrated_elsewhere(found, fold)) for fold in found]


def _calibrated_elsewhere(found: Sequence[Fold], fold: Fold) -> Calibration:
    others = pooled([other for other in found if other is not fold])
    return calibration.fit(others.examples, others.raw)


def summary(found: Sequence[Figures]) -> Figures:
    """Mean and standard deviation over folds of every figure."""
    keys = ("accuracy", "macro_f1", "qwk", "ece", "token_f1", "iou_f1", "token_f1_all", "iou_f1_all")
    return {
        name: {key: _spread([one[name][key] for one in found]) for key in keys} | _levels(found, name)
        for name in MECHANISMS
    }


def _levels(found: Sequence[Figures], name: str) -> dict[str, Any]:
    return {"f1": [_spread([one[name]["f1"][level] for one in found]) for level in range(3)]}


def _spread(values: Sequence[float]) -> list[float]:
    return [float(np.mean(values)), float(np.std(values, ddof=1))]


def figures(fold: Fold, by: Calibration) -> Figures:
    """Accuracy, macro-F1, kappa, calibration error, reliability and rationale figures of each mechanism."""
    labels = np.array([one.levels for one in fold.examples])
    probabilities = by.probabilities(fold.raw.logits)
    return {
        name: measures(labels[:, m], probabilities[:, m])
        | {"reliability": reliability(labels[:, m], probabilities[:, m]), "n": len(labels)}
        | _rationale_figures(fold, by, m)
        for m, name in enumerate(MECHANISMS)
    }


def _rationale_figures(fold: Fold, by: Calibration, mechanism: int) -> dict[str, float]:
    replies = [one.pair.response for one in fold.examples]
    marked = rationales(fold.examples, by.spans(replies, fold.raw, mechanism), mechanism)
    everything = rationales(fold.examples, [[(0, len(reply))] for reply in replies], mechanism)
    return {
        "token_f1": marked.token_f1,
        "iou_f1": marked.iou_f1,
        "token_f1_all": everything.token_f1,
        "iou_f1_all": everything.iou_f1,
    }


def train_release(run: Run, examples: Sequence[Example], out: Path, found: Sequence[Fold]) -> dict[str, Any]:
    """Train on the recipe's share of the seekers; write weights, `release.json` and the card to `out`.

    It is calibrated on the cross-validation's answers for the seekers of its share, where there is one, else on
    half of the seekers that it has not seen; its figures are of the other unseen ones.
    """
    seen = run.allowed(examples)
    trainer = Trainer(seen, run.recipe, run.device)
    model = trainer.run(run.directory / "release.checkpoint", label=run.name, stop=run.stop)
    sha256 = save(model, out / WEIGHTS_FILE)
    calibrating, tested = _halves(run.unseen(examples))
    basis = _of(pooled(found), seen) if found else Fold(calibrating, _raw(model, calibrating))
    by = calibration.fit(basis.examples, basis.raw)
    tested = tested if not found else [*calibrating, *tested]
    info = _release(run, model.config, sha256) | {
        "epochs_done": trainer.epoch,
        "calibration": by.stored(),
        "trained_on": {"pairs": len(seen), "seekers": len({one.seeker_id for one in seen})},
        "figures": figures(Fold(tested, _raw(model, tested)), by) if tested else {},
        "folds": summary(fold_figures(found)) if found else {},
    }
    write(info, out)
    return info


def _of(fold: Fold, examples: Sequence[Example]) -> Fold:
    """The part of `fold` that speaks of these examples."""
    wanted = {one.pair for one in examples}
    rows = [i for i, one in enumerate(fold.examples) if one.pair in wanted]
    raw = fold.raw
    return Fold(
        [fold.examples[i] for i in rows],
        Raw(raw.logits[rows], [raw.marks[i] for i in rows], [raw.offsets[i] for i in rows]),
    )


def _halves(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    found = sorted(examples, key=lambda one: position(one.seeker_id))
    return found[: len(found) // 2], found[len(found) // 2 :]


def _release(run: Run, config: Config, sha256: str) -> dict[str, Any]:
    return {
        "name": run.name,
        "version": datetime.now(UTC).strftime("%Y.%m.%d"),
        "sha256": sha256,
        "base": config.backbone,
        "base_sha256": backbones.backbone(config.backbone).sha256,
        "config": config.stored(),
        "recipe": {key: value for key, value in run.recipe.stored().items() if key != "config"},
    }


def write(info: dict[str, Any], out: Path) -> None:
    (out / "release.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
    (out / "card.md").write_text(card.render(info), encoding="utf-8")
    described.cache_clear()
