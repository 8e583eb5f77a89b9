"""The registry hands out models by name, lazily, and says plainly what it does not have."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ml import registry
from ml.releases import UnknownReleaseError, WeightsError, described, manifest

ROOT = Path(__file__).parents[2]


def test_importing_the_registry_imports_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, ml.registry as r; r.release_info('outcome'); r.release_info('reward'); "
        "print([m for m in ('torch', 'transformers', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["outcome", "reward"])
def test_a_release_is_described_without_loading_it(name: str) -> None:
    release = registry.release_info(name)
    assert release.name == name
    assert len(release.sha256) == 64
    assert str(release) == f"{name}@{release.version}+{release.sha256[:12]}"


def test_the_two_scorers_are_different_weights() -> None:
    assert registry.release_info("outcome").sha256 != registry.release_info("reward").sha256


@pytest.mark.parametrize("ask", [registry.scorer, registry.release_info])
@pytest.mark.parametrize("name", ["nobody", "", "../outcome"])
def test_an_unknown_name_is_refused_with_the_names_there_are(ask, name: str) -> None:
    with pytest.raises(UnknownReleaseError, match="outcome, reward"):
        ask(name)


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"name": "outcome", "version": "1"})])
def test_a_broken_release_file_is_an_error_that_names_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "release.json").write_text(content)
    with pytest.raises(WeightsError, match=r"release\.json"):
        manifest(tmp_path)


def test_a_missing_release_directory_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UnknownReleaseError, match="epitome-none"):
        described(tmp_path / "epitome-none")
