"""Training repeats by seed, resumes where it stopped, and stores only what it changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ml.epitome.data import Example
from ml.types import Pair

pytestmark = pytest.mark.models

TEXTS = [
    ("I am sorry.", (2, 0, 0), ("I am sorry.",)),
    ("Try some tea.", (0, 0, 0), ()),
    ("What happened?", (0, 0, 1), ()),
    ("It must hurt.", (1, 2, 0), ("It must hurt.",)),
]


def examples() -> list[Example]:
    return [
        Example(f"s{i}", Pair(f"Post number {i}", text), levels, (passages, (), ()))
        for i, (text, levels, passages) in enumerate(TEXTS * 3)
    ]


@pytest.fixture(scope="module")
def recipe():
    from ml.epitome.model import Config
    from ml.epitome.train import Recipe

    return Recipe(config=Config(rank=2, hidden=8), epochs=2, batch=6, averaging=0.5)


def trained(recipe, checkpoint: Path | None = None, stop: int | None = None):
    import torch

    from ml.epitome.train import Trainer

    trainer = Trainer(examples(), recipe, torch.device("cpu"))
    if stop is None:
        return trainer.run(checkpoint).trained()
    while trainer.epoch < stop:
        trainer.one_epoch("part")
    trainer.save(checkpoint)
    return None


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(recipe, tmp_path: Path) -> None:
    straight = trained(recipe)
    trained(recipe, tmp_path / "state", stop=1)
    resumed = trained(recipe, tmp_path / "state")
    assert all(value.allclose(resumed[name], atol=1e-6) for name, value in straight.items())


def test_a_checkpoint_of_another_recipe_is_refused(recipe, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "state", stop=0)
    with pytest.raises(ValueError, match="another recipe"):
        trained(replace(recipe, rate=1e-3), tmp_path / "state")


def test_a_trained_release_loads_and_says_how_it_was_made(recipe, tmp_path: Path) -> None:
    import torch

    from ml.epitome.experiment import Run, train_release
    from ml.epitome.scorer import load

    run = Run("trial", replace(recipe, share=(0.0, 0.6)), tmp_path / "state", torch.device("cpu"))
    info = train_release(run, examples(), tmp_path / "epitome-trial", [])
    scorer = load("trial", root=tmp_path)
    assert scorer.release.sha256 == info["sha256"]
    assert scorer.score([Pair("A post", "I am sorry.")])[0].total in range(7)
    stored = json.loads((tmp_path / "epitome-trial" / "release.json").read_text())
    assert stored["trained_on"]["pairs"] < len(examples())
    card = (tmp_path / "epitome-trial" / "card.md").read_text()
    assert info["sha256"][:12] in card
    assert not any(text in card for text, _, _ in TEXTS)


def test_a_long_text_keeps_its_start_and_its_end() -> None:
    from ml.epitome.model import ends

    assert ends(5, 9) == [0, 1, 2, 3, 4]
    assert ends(100, 9) == [0, 1, 2, 3, 4, 5, 97, 98, 99]
