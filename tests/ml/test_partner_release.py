"""A trained rewriter loads only when its description, its weights and its language model are what they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ml.partner import coherence, release, smollm
from ml.partner.coherence import WIDTH, Coherence
from ml.partner.decoding import Decoder
from ml.partner.reader import Reader
from ml.partner.release import COHERENCE_FILE, POLICY_FILE
from ml.releases import UnknownReleaseError, WeightsError, sha256_of
from tests.ml.tiny_policy import POST, converted, policy, tokens

READER = Reader({"one": 0.5, "mean": 1.25, "opens I'm so sorry that": -0.123456789})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A complete release of the tiny policy, and the converted language model that it was trained on."""
    monkeypatch.setenv("ATTUNE_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("ATTUNE_MODEL_CACHE", str(tmp_path / "models"))
    converted(tmp_path / "models")
    release.save(policy(), READER, judge(), tmp_path / "weights" / release.NAME, {"trained_on": "two lessons"})
    return tmp_path / "weights" / release.NAME


def judge() -> Coherence:
    torch.manual_seed(2)
    return Coherence().eval()


def description(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "release.json").read_text())
    return found


def rewrite(folder: Path, **changes: Any) -> None:
    (folder / "release.json").write_text(json.dumps(description(folder) | changes))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def refused(match: str) -> None:
    with pytest.raises(WeightsError, match=match):
        release.load()


def test_an_untouched_release_writes_what_the_trained_policy_wrote(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.runtime.precision", lambda *_: torch.float32)
    found, words, _, name = release.load()
    assert not found.training
    assert not [key for key in found.state_dict() if key.endswith((".up", ".down"))], "adapters are folded in"
    expected = Decoder(policy(), tokens()).drafts(POST, "You will be fine.", samples=2, seed=1)
    drafts = Decoder(found, words).drafts(POST, "You will be fine.", samples=2, seed=1)
    for one, other in zip(drafts, expected, strict=True):
        assert one.places == pytest.approx(other.places, abs=0.01), "stored in half precision"
        assert one.mechanism == other.mechanism
    assert str(name) == f"partner@{description(folder)['version']}+{sha256_of(folder / POLICY_FILE)[:12]}"


def test_what_is_saved_says_what_it_was_made_of(folder: Path) -> None:
    info = description(folder)
    assert info["trained_on"] == "two lessons"
    assert info["base_sha256"] == smollm.GGUF_SHA256
    assert info["coherence"]["sha256"] == sha256_of(folder / COHERENCE_FILE)
    assert info["config"] == {"rank": 4, "alpha": 8.0}


def test_altered_weights_are_refused(folder: Path) -> None:
    flip(folder / POLICY_FILE)
    refused("not the pinned file")


def test_truncated_weights_are_refused_even_when_they_are_pinned(folder: Path) -> None:
    path = folder / POLICY_FILE
    path.write_bytes(path.read_bytes()[:-100])
    refused("not the pinned file")
    rewrite(folder, sha256=sha256_of(path))
    refused("partner is not a readable release")


def test_absent_weights_are_refused(folder: Path) -> None:
    (folder / POLICY_FILE).unlink()
    refused("cannot read the weights")


def test_a_policy_of_another_language_model_is_refused(folder: Path) -> None:
    rewrite(folder, base_sha256="0" * 64)
    refused("another language model")


def test_a_language_model_that_was_altered_since_it_was_converted_is_refused(folder: Path) -> None:
    flip(smollm.cache() / "model.safetensors")
    refused("not the pinned file")


def test_a_language_model_that_is_not_there_is_refused_with_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTUNE_MODEL_CACHE", str(folder / "nowhere"))
    refused("python -m ml.partner prepare")


@pytest.mark.parametrize("change", [{"rank": 3}, {"rank": 4, "nonsense": 1}, None], ids=str)
def test_another_configuration_is_refused(folder: Path, change: dict[str, Any] | None) -> None:
    rewrite(folder, config=change)
    refused("partner is not a readable release")


@pytest.mark.parametrize("part", ["config", "base_sha256", "reader"])
def test_a_description_that_lacks_a_part_is_refused(folder: Path, part: str) -> None:
    rest = description(folder)
    del rest[part]
    (folder / "release.json").write_text(json.dumps(rest))
    refused(f"partner is not a readable release: '{part}'")


def test_the_reader_comes_back_and_is_readable_in_the_description(folder: Path) -> None:
    assert description(folder)["reader"]["mean"] == 1.25
    reader = release.load()[2]
    assert reader.weights == pytest.approx(READER.weights, abs=1e-5)
    found = {"one": 1.0, "mean": -2.0, "never seen": 9.0}
    assert reader.chance(found) == pytest.approx(READER.chance(found), abs=1e-5)


@pytest.mark.parametrize("weights", [[1.0], {"one": "much"}, {"one": None}, None], ids=str)
def test_a_reader_that_is_not_weights_is_refused(folder: Path, weights: object) -> None:
    rewrite(folder, reader=weights)
    refused("partner is not a readable release")


def test_a_release_that_is_not_there_is_unknown(folder: Path) -> None:
    (folder / "release.json").unlink()
    with pytest.raises(UnknownReleaseError, match="no release partner"):
        release.load()


def test_the_coherence_classifier_comes_back_as_it_was_and_altered_is_refused(folder: Path) -> None:
    one, other = torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(1)).unbind()
    with torch.inference_mode():
        assert torch.allclose(coherence.load()(one, other), judge()(one, other), atol=1e-2)
    flip(folder / COHERENCE_FILE)
    with pytest.raises(WeightsError, match="not the pinned file"):
        coherence.load()
