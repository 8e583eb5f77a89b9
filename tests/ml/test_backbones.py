"""Backbones are known by name or read from a local checkpoint; what is not theirs is refused."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml import backbones
from ml.backbones import FILES, MINILM, MPNET, backbone, directory
from ml.releases import WeightsError, packaged
from tests.ml.tiny import checkpoint


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ATTUNE_MODEL_CACHE", str(tmp_path / "models"))
    directory.cache_clear()
    yield tmp_path / "models"
    directory.cache_clear()


def parts(root: Path, content: bytes) -> None:
    """The five packages of the archive, `content` shared out among them."""
    size = len(content) // len(backbones.MPNET_PARTS) + 1
    for number, (package, relative) in enumerate(backbones.MPNET_PARTS):
        path = root / package / relative
        path.parent.mkdir(parents=True)
        (root / package / "__init__.py").touch()
        path.write_bytes(content[number * size : (number + 1) * size])


def archive(path: Path, names: tuple[str, ...]) -> bytes:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(f"{MPNET}/{name}", "not the model")
    return path.read_bytes()


def test_a_bert_checkpoint_is_read_with_its_own_marks(tmp_path: Path) -> None:
    found = backbone(checkpoint(tmp_path / "bert", "bert"))
    assert (found.start, found.end, found.pad, found.breaks, found.segments) == (0, 1, 0, 1, True)


def test_a_roberta_checkpoint_has_two_ends_between_the_texts(tmp_path: Path) -> None:
    found = backbone(checkpoint(tmp_path / "roberta", "roberta"))
    assert (found.start, found.end, found.pad, found.breaks, found.segments) == (0, 1, 2, 2, False)


def test_a_local_checkpoint_is_its_own_directory(tmp_path: Path) -> None:
    name = checkpoint(tmp_path / "bert")
    assert directory(name) == tmp_path / "bert"


@pytest.mark.parametrize("content", [None, "", "{", "{}"])
def test_a_folder_without_a_readable_tokenizer_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(WeightsError, match="neither a packaged backbone nor a checkpoint"):
        backbone(str(tmp_path))


@pytest.mark.parametrize("name", [MINILM, MPNET])
def test_a_packaged_backbone_is_pinned(name: str) -> None:
    assert len(backbone(name).sha256) == 64


def test_an_altered_packaged_backbone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: Path
) -> None:
    (tmp_path / MINILM / "model").mkdir(parents=True)
    (tmp_path / MINILM / "__init__.py").touch()
    (tmp_path / MINILM / "model" / "model.safetensors").write_bytes(b"not the model")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WeightsError, match="not the pinned file"):
        directory(MINILM)


def test_an_altered_unpacked_backbone_is_refused(empty_cache: Path) -> None:
    (empty_cache / MPNET).mkdir(parents=True)
    for file in FILES:
        (empty_cache / MPNET / file).write_bytes(b"{}")
    with pytest.raises(WeightsError, match="not the pinned file"):
        directory(MPNET)


def test_a_broken_archive_is_refused_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: Path
) -> None:
    parts(tmp_path, b"no archive at all")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WeightsError, match=f"cannot unpack {MPNET}"):
        directory(MPNET)
    assert list(empty_cache.iterdir()) == []


def test_an_archive_that_lacks_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: Path
) -> None:
    parts(tmp_path, archive(tmp_path / "whole.zip", FILES[:2]))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WeightsError, match=f"cannot unpack {MPNET}.*model.safetensors"):
        directory(MPNET)


def test_an_archive_of_other_weights_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: Path
) -> None:
    parts(tmp_path, archive(tmp_path / "whole.zip", FILES))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WeightsError, match="not the pinned file"):
        directory(MPNET)
    assert not (empty_cache / MPNET).exists()


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(WeightsError, match="no_such_package is not installed"):
        packaged("no_such_package", "model.safetensors")
