"""A scorer made of a few patterns, so that the rewriter's tests need no weights."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ml.types import Distribution, Pair, Release, Score

STRONG = (
    re.compile(r"\bsorry\b|\bmy heart\b|\bfeel for you\b|\bsad\b|\bi'm (glad|touched|worried)\b", re.I),
    re.compile(r"\b(sounds (as|like|lonely|painful|hard|exhausting)|must (be|have|feel|hurt|ache)|i can hear)\b", re.I),
    re.compile(r"\b(what|how|which|when|who|where|is there)\b[^.!]{12,}\?", re.I),
)
LEVELS: tuple[Distribution, Distribution] = ((0.9, 0.08, 0.02), (0.05, 0.15, 0.8))


class LexiconScorer:
    """Counts calls and pairs, so that tests can hold the rewriter to few of them."""

    release = Release("lexicon", "1", "0" * 64)

    def __init__(self) -> None:
        self.calls = 0
        self.pairs = 0

    def score(self, pairs: Sequence[Pair]) -> list[Score]:
        self.calls += 1
        self.pairs += len(pairs)
        return [_score(pair.response) for pair in pairs]


def _score(text: str) -> Score:
    er, ip, ex = (bool(pattern.search(text)) for pattern in STRONG)
    levels = (2 * er, 2 * ip, 2 * ex)
    return Score(levels, (LEVELS[er], LEVELS[ip], LEVELS[ex]))
