"""The stages of training: what each leaves for the next, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import save_file

from ml.partner import __main__ as command
from ml.partner import coherence, corpus, release, stages
from ml.partner.coherence import Coherence
from ml.partner.decoding import Decoder
from ml.partner.evaluate import build_variant
from ml.partner.policy import PolicyConfig
from ml.partner.reader import Reader, labels, measures
from ml.partner.rewards import Rewritten
from ml.partner.stages import STAGES, Place
from ml.releases import WeightsError
from tests.ml.lexicon import LexiconScorer
from tests.ml.tiny_policy import POST, converted, policy

CONFIG = PolicyConfig()
READER = Reader({"one": 0.5, "mean": 0.25, "is_ex": -1.0})


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Where the warm start of a tiny policy, a reader and a coherence classifier were left."""
    monkeypatch.setenv("ATTUNE_MODEL_CACHE", str(tmp_path / "models"))
    monkeypatch.setenv("ATTUNE_WEIGHTS", str(tmp_path / "weights"))
    converted(tmp_path / "models")
    found = Place(tmp_path / "stages")
    found.root.mkdir()
    save_file(policy(rank=CONFIG.rank).trained(), found.trained("warm"))
    coherence.save(Coherence(), found.trained("coherence"))
    found.reader().write_text(json.dumps({"weights": READER.stored(), "across_folds": {"auc": 0.8}}))
    return found


@pytest.fixture
def small_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lessons of one file, in a folder of their own."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "25-mixed.jsonl").write_bytes((corpus.FOLDER / "25-mixed.jsonl").read_bytes())
    monkeypatch.setattr(corpus, "FOLDER", folder)


@pytest.mark.parametrize("name", ["warm", "warm+mirror", "base", "base+mirror"])
def test_a_stage_becomes_a_rewriter_with_the_reader_beside_it(place: Place, name: str) -> None:
    found = build_variant(name, place, scorer=LexiconScorer(), gate=4.0, min_gain=0.15)
    assert found.release.name == name
    assert found.propose(POST, "", seed=1).outcome in {"suggestions", "no_suggestion"}


def test_a_stage_without_a_reader_is_refused(place: Place) -> None:
    place.reader().unlink()
    for name in ("warm", "base"):
        with pytest.raises(WeightsError, match="no reader beside it"):
            build_variant(name, place, scorer=LexiconScorer(), gate=4.0, min_gain=0.15)


def test_the_reader_of_the_stages_gives_its_chance_of_each_rewritten_sentence(place: Place) -> None:
    found = [
        Rewritten(POST, "Ok.", "Ok. How so?", "How are the evenings for you now?", (), "ex"),
        Rewritten("They gave my desk away.", "Ok.", "Ok.", "It hurts that they gave your desk away.", (), "er"),
    ]
    warm = Decoder(*stages.resumed(place, "warm", CONFIG))
    chances = stages.verdicts(place, CONFIG)(found)
    for one, chance in zip(found, chances, strict=True):
        (likely,) = warm.likelihoods(one.post, [(one.mechanism, one.sentence)])
        row = measures(one.post, one.mechanism, one.sentence, likely, mirrored=False)
        assert chance == pytest.approx(READER.chance(row), abs=0.01)


# --- the release --------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_corpus")
def test_a_released_stage_loads_with_its_reader_and_says_what_it_was_made_of(place: Place, tmp_path: Path) -> None:
    info = stages.released(place, "warm", tmp_path / "weights" / release.NAME)
    assert (info["stage"], info["lessons"]) == ("warm", len(corpus.lessons()))
    assert info["verdicts"] == len(labels())
    assert info["judged_posts"] == len({one.post for one in labels()})
    assert info["reader_across_folds"] == {"auc": 0.8}
    assert [part["name"] for part in info["curriculum"]] == [part.name for part in stages.CURRICULUM]
    _, _, reader, name = release.load()
    assert reader == READER
    assert name.sha256 == info["sha256"]


@pytest.mark.usefixtures("small_corpus")
@pytest.mark.parametrize("missing", ["warm.safetensors", "reader.json", "coherence.safetensors"])
def test_a_release_of_what_is_not_there_is_refused_with_the_folder(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    (place.root / missing).unlink()
    out = tmp_path / "weights" / release.NAME
    assert command.main(["release", "--state", str(place.root), "--stage", "warm", "--out", str(out)]) == 1
    assert str(place.root) in capsys.readouterr().err
    assert not out.exists()


# --- the command --------------------------------------------------------------------------------


def test_a_stage_that_there_is_not_is_refused_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--data", str(tmp_path / "rows.csv"), "--state", str(tmp_path / "state")]
    assert command.main([*arguments, "--stages", "warm,cold"]) == 1
    assert "no stage cold" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_all_stages_are_trained_where_none_is_named() -> None:
    options = command._parser().parse_args(["train", "--data", "rows.csv"])
    assert options.stages.split(",") == list(STAGES)
