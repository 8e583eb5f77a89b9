"""Frozen releases on disk: where they stand, what they are, and whether their bytes are still theirs."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from ml.types import Release

WEIGHTS = Path(__file__).parent / "weights"


class WeightsError(RuntimeError):
    """Weights are absent, cut short or altered. Nothing is scored or suggested with such weights."""

    code = "weights_unusable"


class UnknownReleaseError(LookupError):
    """No model of this name is part of this installation."""

    code = "unknown_release"


def sha256_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"cannot read the weights {path.name}: {error.strerror}") from error


def verified(path: Path, sha256: str) -> Path:
    """`path`, once its content is known to be the pinned one."""
    found = sha256_of(path)
    if found != sha256:
        raise WeightsError(
            f"{path.parent.name}/{path.name} is not the pinned file: "
            f"SHA-256 {found[:12]}… where {sha256[:12]}… was expected"
        )
    return path


def packaged(package: str, relative: str) -> Path:
    """A file inside an installed package, found without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(f"the package {package} is not installed: see requirements-models.txt")
    return Path(next(iter(spec.submodule_search_locations))) / relative


def folder(name: str, *, root: Path | None = None) -> Path:
    """Where the release directory `name` ("epitome-outcome") stands."""
    return (root or Path(os.environ.get("ATTUNE_WEIGHTS", WEIGHTS))) / name


def manifest(directory: Path) -> dict[str, Any]:
    """The release's own description, `release.json`."""
    path = directory / "release.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        missing = {"name", "version", "sha256"} - set(found)
    except FileNotFoundError as error:
        raise UnknownReleaseError(f"there is no release {directory.name}") from error
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{directory.name}/release.json is unreadable: {error}") from error
    if missing:
        raise WeightsError(f"{directory.name}/release.json lacks {', '.join(sorted(missing))}")
    return dict(found)


@cache
def described(directory: Path) -> Release:
    found = manifest(directory)
    return Release(found["name"], found["version"], found["sha256"])
