"""A release loads only when its description, its weights and its backbone are what they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ml.releases import UnknownReleaseError, WeightsError, sha256_of
from ml.types import Pair
from tests.ml.tiny import checkpoint, release


def load(root: Path) -> Any:
    from ml.epitome.scorer import load

    return load("tiny", root=root)


def refused(root: Path, match: str) -> None:
    with pytest.raises(WeightsError, match=match):
        load(root)


def test_an_untouched_release_scores(tmp_path: Path) -> None:
    release(tmp_path)
    scorer = load(tmp_path)
    found = scorer.score([Pair("post a", "i am so sorry ."), Pair("post a", ""), Pair("post a", "💛")])
    assert sum(found[0].probabilities[0]) == pytest.approx(1)
    assert [one.expected_total for one in found[1:]] == [0, 0]
    assert str(scorer.release).startswith("tiny@1+")


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    path = release(tmp_path) / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    refused(tmp_path, "not the pinned file")


def test_truncated_weights_are_refused(tmp_path: Path) -> None:
    path = release(tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    refused(tmp_path, "not the pinned file")


def test_truncated_weights_are_refused_even_when_they_are_pinned(tmp_path: Path) -> None:
    path = release(tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    rewrite(tmp_path, sha256=sha256_of(path))
    refused(tmp_path, "epitome-tiny is not a readable release")


def test_absent_weights_are_refused(tmp_path: Path) -> None:
    (release(tmp_path) / "model.safetensors").unlink()
    refused(tmp_path, "cannot read the weights")


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    release(tmp_path)
    rewrite(tmp_path, config=description(tmp_path)["config"] | {"rank": 3})
    refused(tmp_path, "another configuration")


def test_another_backbone_is_refused(tmp_path: Path) -> None:
    release(tmp_path, base_sha256="0" * 64)
    refused(tmp_path, "another backbone")


def test_a_backbone_that_is_not_there_is_refused(tmp_path: Path) -> None:
    release(tmp_path)
    rewrite(tmp_path, config=description(tmp_path)["config"] | {"backbone": str(tmp_path / "nowhere")})
    refused(tmp_path, "neither a packaged backbone nor a checkpoint")


def test_a_backbone_of_another_size_is_refused(tmp_path: Path) -> None:
    release(tmp_path)
    other = checkpoint(tmp_path / "other", layers=3)
    rewrite(tmp_path, config=description(tmp_path)["config"] | {"backbone": other})
    refused(tmp_path, "another configuration")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"name": "tiny", "version": "1"}'])
def test_an_unreadable_description_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (release(tmp_path) / "release.json").write_bytes(content)
    refused(tmp_path, r"epitome-tiny/release\.json")


@pytest.mark.parametrize("part", ["calibration", "config", "base_sha256"])
def test_a_description_that_lacks_a_part_is_refused(tmp_path: Path, part: str) -> None:
    release(tmp_path)
    rest = description(tmp_path)
    del rest[part]
    (tmp_path / "epitome-tiny" / "release.json").write_text(json.dumps(rest))
    refused(tmp_path, f"epitome-tiny is not a readable release: '{part}'")


@pytest.mark.parametrize(
    "change",
    [
        {"calibration": {"temperatures": [1, 1, 1]}},
        {"calibration": None},
        {"calibration": {"temperatures": ["warm"], "thresholds": []}},
        {"config": {"nonsense": 1}},
        {"config": None},
    ],
    ids=["no thresholds", "no calibration", "words for numbers", "unknown setting", "no settings"],
)
def test_a_part_that_cannot_be_read_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    release(tmp_path, **change)
    refused(tmp_path, "epitome-tiny is not a readable release")


def test_a_release_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UnknownReleaseError, match="no release epitome-tiny"):
        load(tmp_path)


def description(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "epitome-tiny" / "release.json").read_text())
    return found


def rewrite(root: Path, **changes: Any) -> None:
    (root / "epitome-tiny" / "release.json").write_text(json.dumps(description(root) | changes))
