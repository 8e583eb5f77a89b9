"""Hands out scorers and rewriters by the names that protocols use; imports no torch until asked for one."""

from __future__ import annotations

from functools import cache

from ml.releases import UnknownReleaseError, WeightsError, described, folder
from ml.types import Release, Reviewed, Rewriter, Scorer

__all__ = ["SCORERS", "UnknownReleaseError", "WeightsError", "release_info", "rewriter", "scorer"]

SCORERS = ("outcome", "reward")


@cache
def scorer(name: str) -> Scorer:
    """The scorer of this name, loaded once in a process."""
    release_of_scorer(name)
    from ml.epitome.scorer import load

    return load(name)


@cache
def rewriter(name: str, *, scorer: str, gate: float, min_gain: float, reviewed: tuple[Reviewed, ...] = ()) -> Rewriter:
    """The rewriter of this name, built once in a process for each policy, with the scorer it names."""
    from ml.partner.rewriter import build

    built: Rewriter = build(name, scorer=_scorer(scorer), gate=gate, min_gain=min_gain, reviewed=reviewed)
    return built


_scorer = scorer  # `rewriter` has a parameter of that name


def release_info(name: str) -> Release:
    """What a release is, read from its `release.json` alone."""
    for directory in (folder(f"epitome-{name}"), folder(name)):
        if (directory / "release.json").is_file():
            return described(directory)
    raise UnknownReleaseError(f"there is no release {name!r}; scorers: {', '.join(SCORERS)}")


def release_of_scorer(name: str) -> Release:
    if not (folder(f"epitome-{name}") / "release.json").is_file():
        raise UnknownReleaseError(f"there is no scorer {name!r}; there are: {', '.join(SCORERS)}")
    return release_info(name)
