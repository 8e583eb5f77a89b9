"""Cross-validation never tests a seeker that was trained on, and held-back seekers stay apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.epitome.data import HELD_BACK, Example, folds, position
from ml.types import Pair
from tests.ml.tiny import checkpoint

TEXTS = (("i am so sorry .", (2, 0, 0)), ("hope it helps .", (0, 1, 0)), ("why is it so ?", (0, 0, 2)))
FOLDS = 3


def examples(seekers: int = 12) -> list[Example]:
    """Three replies to every seeker, so that a seeker could be on both sides of a careless split."""
    return [
        Example(f"s{s}", Pair(f"post number {s}", text), levels, ((), (), ()))
        for s in range(seekers)
        for text, levels in TEXTS
    ]


@pytest.fixture
def run(tmp_path: Path) -> Any:
    import torch

    from ml.epitome.experiment import Run
    from ml.epitome.model import Config
    from ml.epitome.train import Recipe

    config = Config(backbone=checkpoint(tmp_path / "backbone"), rank=2, hidden=8)
    recipe = Recipe(config=config, share=(0.2, 0.6), epochs=1, batch=8, rate=1e-2, averaging=0.0)
    (tmp_path / "state").mkdir()
    return Run("trial", recipe, tmp_path / "state", torch.device("cpu"))


def told_by_a_model_of(run: Any, seen: list[Example], tested: list[Example]) -> np.ndarray:
    from ml.epitome.inference import predict
    from ml.epitome.model import encode
    from ml.epitome.train import Trainer

    trainer = Trainer(seen, run.recipe, run.device)
    model = trainer.run()
    return predict(model, encode([one.pair for one in tested], model.config), fast=trainer.fast).logits


def test_each_pair_is_tested_once_with_all_of_its_seekers_pairs(run: Any) -> None:
    from ml.epitome.experiment import cross_validate

    found = cross_validate(run, examples(), FOLDS)
    tested = [{one.seeker_id for one in fold.examples} for fold in found]
    assert sorted(seeker for fold in tested for seeker in fold) == sorted({one.seeker_id for one in examples()})
    assert sum(len(fold.examples) for fold in found) == len(examples())
    assert all(len(fold.examples) == len(fold.raw.logits) for fold in found)


def test_a_fold_is_told_by_a_model_that_saw_none_of_its_seekers(run: Any) -> None:
    from ml.epitome.experiment import cross_validate

    found = cross_validate(run, examples(), FOLDS)
    kept = folds(examples(), count=FOLDS, seed=run.recipe.seed)
    for fold, seekers in zip(found, kept, strict=True):
        others = [one for one in examples() if one.seeker_id not in seekers]
        assert np.allclose(fold.raw.logits, told_by_a_model_of(run, others, fold.examples), atol=1e-5)
        assert not np.allclose(fold.raw.logits, told_by_a_model_of(run, examples(), fold.examples), atol=1e-3)


def test_finished_folds_are_read_back_as_they_were(run: Any) -> None:
    from ml.epitome.experiment import cross_validate

    first = cross_validate(run, examples(), FOLDS)
    times = {path: path.stat().st_mtime_ns for path in run.directory.iterdir()}
    again = cross_validate(run, examples(), FOLDS)
    assert times == {path: path.stat().st_mtime_ns for path in run.directory.iterdir()}
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.raw.logits, other.raw.logits)
        assert one.raw.marks == other.raw.marks
        assert one.raw.offsets == other.raw.offsets


def test_a_fold_is_calibrated_on_the_other_folds_alone(run: Any) -> None:
    from ml.epitome import calibration
    from ml.epitome.experiment import cross_validate, figures, fold_figures, pooled

    found = cross_validate(run, examples(24), FOLDS)
    by_hand = calibration.fit(pooled(found[1:]).examples, pooled(found[1:]).raw)
    assert by_hand != calibration.Calibration()
    assert fold_figures(found)[0] == figures(found[0], by_hand)


def test_seekers_trained_on_unseen_and_held_back_are_disjoint(run: Any) -> None:
    everybody = examples(300)
    allowed, unseen = ({one.seeker_id for one in part} for part in (run.allowed(everybody), run.unseen(everybody)))
    held_back = {one.seeker_id for one in everybody if position(one.seeker_id) >= HELD_BACK}
    assert not allowed & unseen
    assert not (allowed | unseen) & held_back
    assert allowed | unseen | held_back == {one.seeker_id for one in everybody}
    assert all((allowed, unseen, held_back))


def test_a_release_says_what_it_was_trained_on_and_loads(run: Any, tmp_path: Path) -> None:
    from ml.epitome.experiment import train_release
    from ml.epitome.scorer import load

    info = train_release(run, examples(60), tmp_path / "epitome-trial", [])
    assert info["trained_on"]["pairs"] == len(run.allowed(examples(60)))
    assert info["figures"]["er"]["n"] < len(run.unseen(examples(60)))
    assert json.loads((tmp_path / "epitome-trial" / "release.json").read_text())["sha256"] == info["sha256"]
    (score,) = load("trial", root=tmp_path).score([Pair("post a", "i am so sorry .")])
    assert all(sum(row) == pytest.approx(1) for row in score.probabilities)
