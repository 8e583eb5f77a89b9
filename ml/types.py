"""The values and the two small protocols that every model in Attune speaks.

Nothing here imports Django, torch or transformers, so any process may import it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

MECHANISMS = ("er", "ip", "ex")
MAX_TOTAL = 6

Levels = tuple[int, int, int]
Distribution = tuple[float, float, float]
Op = Literal["insert", "replace"]


@dataclass(frozen=True)
class Release:
    """A frozen model: what it is called, which version, and the hash of its weights."""

    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}+{self.sha256[:12]}"


@dataclass(frozen=True)
class Pair:
    """A seeker post and the response to it."""

    seeker: str
    response: str


@dataclass(frozen=True)
class Span:
    """A rationale: `response[start:stop]` in the reply's own characters."""

    mechanism: str
    start: int
    stop: int


@dataclass(frozen=True)
class Score:
    """Expressed empathy of one response (EPITOME, EMNLP 2020, section 3).

    `levels` and `probabilities` follow `MECHANISMS`; each level is 0 none, 1 weak, 2 strong.
    """

    levels: Levels
    probabilities: tuple[Distribution, Distribution, Distribution]
    rationales: tuple[Span, ...] = ()

    @property
    def total(self) -> int:
        """Sum of the three most likely levels, 0-6."""
        return sum(self.levels)

    @property
    def expected_total(self) -> float:
        """Sum of the three expected levels, 0-6."""
        return sum(p[1] + 2 * p[2] for p in self.probabilities)


@dataclass(frozen=True)
class Edit:
    """One sentence-level change to a reply (PARTNER, WWW 2021, section 4).

    `index` counts the sentences of the reply as it was when asked: an insert goes before
    sentence `index` (or at the end), a replace takes the place of sentence `index`, whose
    text is `old`. `before` and `after` are expected totals (0-6) without and with this edit.
    """

    op: Op
    index: int
    old: str
    new: str
    before: float
    after: float

    @property
    def gain(self) -> float:
        return self.after - self.before


@dataclass(frozen=True)
class Slot:
    """One place of a reply: insert before sentence `index`, or replace it; `kind` says why there."""

    op: Op
    index: int
    old: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Reviewed:
    """What people approved for one post, as (mechanism, sentence); perhaps nothing.

    `post` is the SHA-256 of the post's text.
    """

    post: str
    sentences: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Refusal:
    """A candidate that was not offered, and the rule that refused it."""

    text: str
    reason: str


Outcome = Literal["suggestions", "nothing_needed", "no_suggestion", "screened"]


@dataclass(frozen=True)
class Proposal:
    """What a rewriter answers to one request for feedback.

    `nothing_needed`: the reply is already highly empathic. `no_suggestion`: none passed the
    filters. `screened`: the post or reply was caught by the crisis screen, nothing generated.
    """

    outcome: Outcome
    before: Score | None
    edits: tuple[Edit, ...] = ()
    refused: tuple[Refusal, ...] = ()
    seconds: float = 0.0
    parameters: dict[str, str | float] = field(default_factory=dict)


class Scorer(Protocol):
    """Measures expressed empathy."""

    release: Release

    def score(self, pairs: Sequence[Pair]) -> list[Score]: ...


class Rewriter(Protocol):
    """Proposes the smallest edits that make a reply more empathic."""

    release: Release

    def propose(self, post: str, reply: str, *, seed: int, exclude: Collection[str] = (), limit: int = 3) -> Proposal:
        """At most `limit` edits; `exclude` holds sentences already shown for this reply."""
        ...

    def prepare(self, post: str) -> None:
        """Do for a post what can be done before anybody asks; nothing, where that is nothing."""
        ...
