"""How the outcome scorer rates every reply of the bank at every post; asked once, then kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from analysis.bots import words
from analysis.bots.planting import Floats
from ml.types import Pair, Score, Scorer

BATCH = 512
MEASURES: dict[str, Callable[[Score], float]] = {
    "empathy": lambda score: float(score.total),
    "empathy_expected": lambda score: score.expected_total,
    "er": lambda score: float(score.levels[0]),
    "ip": lambda score: float(score.levels[1]),
    "ex": lambda score: float(score.levels[2]),
}
Progress = Callable[[int], object]


def bank_scores(
    posts: Sequence[str], scorer: Scorer, *, measure: str, folder: Path, progress: Progress = lambda _: None
) -> Floats:
    """`scores[post, reply]` in the plan's words for an outcome."""
    file = folder / f"bank-{_name(posts, str(scorer.release), measure)}.json"
    if file.is_file():
        return np.array(json.loads(file.read_text()), dtype=np.float64)
    pairs = [Pair(post, draft.text) for post in posts for draft in words.BANK]
    rated = [MEASURES[measure](score) for score in _scored(pairs, scorer, progress)]
    scores = np.array(rated, dtype=np.float64).reshape(len(posts), len(words.BANK))
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(scores.tolist()))
    return scores


def _scored(pairs: Sequence[Pair], scorer: Scorer, progress: Progress) -> Iterator[Score]:
    for start in range(0, len(pairs), BATCH):
        batch = pairs[start : start + BATCH]
        yield from scorer.score(batch)
        progress(len(batch))


def _name(posts: Sequence[str], release: str, measure: str) -> str:
    parts = "\0".join((release, measure, words.bank_sha256(), *posts))
    return hashlib.sha256(parts.encode()).hexdigest()[:16]
