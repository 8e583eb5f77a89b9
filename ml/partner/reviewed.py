"""Sentences that people have read and approved, post by post, before a study opens.

A study's posts are known beforehand. `python -m ml.partner review` writes what the rewriter would say under each to a
sheet; investigators say of every sentence whether a participant may see it. Under a reviewed post the rewriter offers
what was approved and nothing else: it still decides which the draft needs, where they go, and when to stop.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable

from ml.partner.filters import stems
from ml.partner.phrases import Move
from ml.types import Reviewed

THEME = "reviewed"
FIT = 4.0  # as sure as a sentence can be
GENERAL = 2.0  # of one that takes up none of this post's own words: right, and not the first to be offered
PARTICULAR = 2  # content words that it shares with the post


def digest(post: str) -> str:
    """What stands for a post's text: sentences are approved for these very words."""
    return hashlib.sha256(post.encode("utf-8", "surrogatepass")).hexdigest()


class Approved:
    """The reviewed posts of a study, and the sentences approved for each."""

    def __init__(self, found: Iterable[Reviewed] = ()) -> None:
        self.sentences_of = {one.post: one.sentences for one in found}

    def __contains__(self, post: str) -> bool:
        return digest(post) in self.sentences_of

    def moves(self, post: str, *, seed: int) -> list[Move]:
        """What was approved for the post: what takes up its own words first, else in the seed's order."""
        mine = stems(post)
        found = [Move(m, text, THEME, _fit(text, mine)) for m, text in self.sentences_of[digest(post)]]
        random.Random(seed).shuffle(found)  # noqa: S311 - variety, not secrecy
        return sorted(found, key=lambda move: -move.fit)

    @property
    def version(self) -> str:
        """Told in the rewriter's release, so that a stored suggestion says what could have been offered."""
        rows = [f"{post} {m} {text}" for post, found in self.sentences_of.items() for m, text in found]
        whole = "\n".join([*sorted(self.sentences_of), *sorted(rows)])
        return f"+reviewed.{digest(whole)[:8]}" if self.sentences_of else ""


def _fit(text: str, post: frozenset[str]) -> float:
    return FIT if len(stems(text) & post) >= PARTICULAR else GENERAL
