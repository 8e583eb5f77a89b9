"""Plants an effect of a known size: chances for every reply of the bank, by post, arm and ability.

A writer of tilt t picks reply j for a post with a chance in proportion to exp(t * score[j]).
Without help the tilt is the writer's ability; with help it is more by as much as it takes, post by
post, for the expected difference between the arms to be the effect. The arm without help is never
touched. Pure mathematics: scores in, chances out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEVELS_OF_ABILITY = 15
BETWEEN_WRITERS = 0.4
STEEPEST = 200.0


class NotPlantableError(ValueError):
    """The bank holds no replies good (or bad) enough for this effect."""


@dataclass(frozen=True)
class Planting:
    """`scores[post, reply]`, the tilts that abilities stand for, and what help adds at each post."""

    scores: Floats
    abilities: Floats
    lift: Floats

    def chances(self, post: int, ability: int, *, helped: bool) -> Floats:
        """With what chance a writer of this ability picks each reply of the bank."""
        tilt = self.abilities[ability] + (self.lift[post] if helped else 0.0)
        return tilted(self.scores[post], tilt)

    def expected(self, post: int, *, helped: bool) -> float:
        """The mean score at this post over writers of every ability."""
        return _mean_over(self.scores[post], self.abilities + (self.lift[post] if helped else 0.0))


def plant(scores: Floats, *, effect: float, between: float = BETWEEN_WRITERS) -> Planting:
    """Chances whose expected between-arm difference is `effect` at every post.

    `between`: standard deviation between writers of their expected mean score, without help.

    Raises:
        NotPlantableError: the bank cannot bring this effect at some post.
    """
    scores = np.asarray(scores, dtype=np.float64)
    abilities = _abilities(scores, between)
    lift = np.array([_lift(row, abilities, effect, post) for post, row in enumerate(scores)])
    return Planting(scores, abilities, lift)


def tilted(scores: Floats, tilt: float) -> Floats:
    weights = np.exp(tilt * scores - np.max(tilt * scores))
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _mean_over(scores: Floats, tilts: Floats) -> float:
    """The mean score over equally many writers of each tilt."""
    return float(_means(scores, tilts).mean())


def _means(scores: Floats, tilts: Floats) -> Floats:
    """The expected score of a writer of each tilt."""
    exponents = np.outer(tilts, scores)
    weights = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    return np.asarray(weights @ scores / weights.sum(axis=1), dtype=np.float64)


def _abilities(scores: Floats, between: float) -> Floats:
    """Equally likely tilts, spread as a normal distribution, as wide as makes writers differ enough."""
    quantiles = (np.arange(LEVELS_OF_ABILITY) + 0.5) / LEVELS_OF_ABILITY
    normal = np.array([NormalDist().inv_cdf(float(q)) for q in quantiles])

    def spread(width: float) -> float:
        return float(np.std(np.mean([_means(row, width * normal) for row in scores], axis=0)))

    width = bisect(spread, between, low=0.0, high=1.0)
    return np.asarray(width * normal, dtype=np.float64)


def _lift(scores: Floats, abilities: Floats, effect: float, post: int) -> float:
    if effect == 0.0:
        return 0.0
    wanted = _mean_over(scores, abilities) + effect
    if not scores.min() + 1e-6 < wanted < scores.max() - 1e-6:
        raise NotPlantableError(
            f"post {post}: a mean of {wanted:.2f} is wanted; the bank's replies score from "
            f"{scores.min():.2f} to {scores.max():.2f}"
        )
    return bisect(lambda lift: _mean_over(scores, abilities + lift), wanted, low=-STEEPEST, high=STEEPEST)


def bisect(rising: Callable[[float], float], target: float, *, low: float, high: float) -> float:
    """Where a rising function reaches `target`; an end of the range if it does so nowhere."""
    for _ in range(100):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if rising(middle) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def authored(levels: Sequence[int], posts: int) -> Floats:
    """Scores where no scorer was asked: the author's level of each reply, the same at every post."""
    return np.tile(np.asarray(levels, dtype=np.float64), (posts, 1))
