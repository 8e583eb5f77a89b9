"""Proposes the smallest edits that make a reply more empathic (PARTNER, WWW 2021, section 4)."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from ml.partner.filters import alike, dressed, refusal
from ml.partner.phrases import MODEL, Move
from ml.partner.placing import AFTER_WARMTH, LONGEST_POST, View, slots, view
from ml.partner.reviewed import Approved
from ml.releases import UnknownReleaseError, described, folder
from ml.safety import crisis
from ml.types import (
    MECHANISMS,
    Edit,
    Op,
    Outcome,
    Pair,
    Proposal,
    Refusal,
    Release,
    Reviewed,
    Rewriter,
    Score,
    Scorer,
    Slot,
)

log = logging.getLogger(__name__)

VERSION = "1"
LOCAL = ("partner", "phrasebook")  # releases of our own
NAMES = (*LOCAL, "endpoint", "none")
SHORTLIST = 2  # moves a source and mechanism that are scored together
WAVES = 3  # so many shortlists are tried before there is nothing to suggest
SMALL = 60  # characters at which an edit's size begins to count against it
CLOSENESS = 6.0  # how much one step of closeness to the post outweighs a gain
MOST_NEW = 2.0  # what several edits together may say, in lengths of the reply
LEAST_ROOM = 120  # characters that they may have under any reply, however short: an opening and a question
COLD_FAVOUR = 1.5  # a dismissive sentence left standing would spoil what is put beside it
ORDER = {"er": 0, "ip": 1, "ex": 2}


class Source(Protocol):
    """Where sentences come from."""

    release: Release

    def moves(self, post: str, reply: str, *, seed: int) -> list[Move]: ...

    def candidates(self, post: str, *, seed: int) -> list[Move]: ...

    def prepare(self, post: str) -> None: ...


@dataclass(frozen=True)
class Option:
    """One move at one place, as an edit, with what it would be worth."""

    move: Move
    edit: Edit
    slot: Slot

    @property
    def value(self) -> float:
        """Gain per changed character, weighted by how closely the move knows the post."""
        changed = max(len(self.edit.new), len(self.edit.old))
        favour = COLD_FAVOUR if self.edit.op == "replace" else 1.0
        return favour * self.edit.gain * float(CLOSENESS**self.move.fit) / (SMALL + changed)


class Partner:
    """A rewriter over one or more sources of sentences; under a reviewed post, over what was approved alone."""

    def __init__(
        self,
        release: Release,
        sources: Sequence[Source],
        *,
        scorer: Scorer,
        gate: float,
        min_gain: float,
        approved: Approved | None = None,
    ) -> None:
        self.approved = approved or Approved()
        self.release = replace(release, version=release.version + self.approved.version)
        self.sources = tuple(sources)
        self.scorer = scorer
        self.gate = gate
        self.min_gain = min_gain

    def propose(self, post: str, reply: str, *, seed: int, exclude: Collection[str] = (), limit: int = 3) -> Proposal:
        """See `ml.types.Rewriter`. Deterministic for a seed. No text makes it raise; an endpoint may, and so may
        sources that are loaded for the first post that is not reviewed."""
        start = time.perf_counter()
        outcome, before, edits, refused = self._propose(post, reply, seed, exclude, limit)
        return Proposal(
            outcome, before, tuple(edits), tuple(refused), time.perf_counter() - start, self._parameters(seed)
        )

    def prepare(self, post: str) -> None:
        """Let each source read the post ahead of any reply, unless the crisis screen catches it, or it is reviewed."""
        if post not in self.approved and not crisis.screen(post):
            for source in self.sources:
                source.prepare(post[:LONGEST_POST])

    def _propose(
        self, post: str, reply: str, seed: int, exclude: Collection[str], limit: int
    ) -> tuple[Outcome, Score | None, list[Edit], list[Refusal]]:
        if crisis.screen(post) or crisis.screen(reply):
            return "screened", None, [], []
        given, post, seen = post, post[:LONGEST_POST], view(reply)
        before = self.scorer.score([Pair(post, seen.compose())])[0]
        if before.expected_total >= self.gate:
            return "nothing_needed", before, [], []
        offered, refused = self._offered(self._moves(given, reply, seed), post, reply, exclude, before)
        total, room = before.expected_total, _room(seen, limit)
        for wave in range(WAVES):
            options = self._options(post, seen, _shortlist(offered, wave), total)
            edits = self._choose(post, seen, options, total, room)
            if edits:
                return "suggestions", before, edits, refused
        return "no_suggestion", before, [], refused

    def _parameters(self, seed: int) -> dict[str, str | float]:
        return {"seed": seed, "gate": self.gate, "min_gain": self.min_gain, "scorer": str(self.scorer.release)}

    # --- candidates ----------------------------------------------------------------------------

    def _moves(self, post: str, reply: str, seed: int) -> list[Move]:
        """What could be said: the post's approved sentences, else the sources', those that suit it best first."""
        if post in self.approved:
            return self.approved.moves(post, seed=seed)
        found = [move for source in self.sources for move in source.moves(post[:LONGEST_POST], reply, seed=seed)]
        return sorted(found, key=lambda move: -move.rank)

    def _offered(
        self, moves: Sequence[Move], post: str, reply: str, exclude: Collection[str], before: Score
    ) -> tuple[list[Move], list[Refusal]]:
        """The moves that pass the filters, of mechanisms that the reply lacks; and what was refused."""
        lacking = {m for m, level in zip(MECHANISMS, before.levels, strict=True) if level < 2}
        kept: list[Move] = []
        refused: list[Refusal] = []
        for move in moves:
            no = refusal(move, post=post, reply=reply, exclude=exclude)
            if no:
                refused.append(no)
            elif move.mechanism in lacking:
                kept.append(move)
        return kept, refused

    def _options(self, post: str, seen: View, moves: Sequence[Move], before: float) -> list[Option]:
        """Every move at every place for it, scored in one batch, the most valuable first."""
        drafts = [(m, s) for m in moves for s in _slots(seen, m)]
        edits = [_edit(dressed(move.text, seen.compose()), slot, before) for move, slot in drafts]
        after = self._totals(post, seen, [[edit] for edit in edits])
        options = [
            Option(move, replace(edit, after=total), slot)
            for (move, slot), edit, total in zip(drafts, edits, after, strict=True)
            if total - before >= self.min_gain
        ]
        return sorted(options, key=lambda o: -o.value)

    def _totals(self, post: str, seen: View, drafts: Sequence[Sequence[Edit]]) -> list[float]:
        pairs = [Pair(post, seen.compose(edits)) for edits in drafts]
        return [score.expected_total for score in self.scorer.score(pairs)] if pairs else []

    # --- choice --------------------------------------------------------------------------------

    def _choose(self, post: str, seen: View, options: list[Option], before: float, limit: int) -> list[Edit]:
        """Greedy: the best, then what still adds most beside it, until a further edit adds too little."""
        chosen: list[Option] = []
        total = before
        while len(chosen) < limit and (not chosen or total < self.gate):
            near = _best_of_each([o for o in options if _fits(o, chosen) and _within_room(seen, [*chosen, o])])
            added = self._added(post, seen, chosen, near, total)
            best = max(range(len(near)), key=lambda i: _worth(near[i], added[i]), default=None)
            if best is None or added[best] < self.min_gain:
                break
            total += added[best]
            chosen.append(near[best])
        return [o.edit for o in sorted(chosen, key=lambda o: (o.edit.index, ORDER[o.move.mechanism]))]

    def _added(
        self, post: str, seen: View, chosen: Sequence[Option], near: Sequence[Option], total: float
    ) -> list[float]:
        """What each option adds beside what is chosen already."""
        if not chosen:
            return [option.edit.gain for option in near]
        drafts = [[*(c.edit for c in chosen), option.edit] for option in near]
        return [after - total for after in self._totals(post, seen, drafts)]


def _slots(seen: View, move: Move) -> list[Slot]:
    return [move.slot] if move.slot else slots(seen, move.mechanism)


def _shortlist(moves: Sequence[Move], wave: int) -> list[Move]:
    """The next few moves of each source and mechanism."""
    groups: dict[tuple[bool, str], list[Move]] = {}
    for move in moves:
        groups.setdefault((move.theme == MODEL, move.mechanism), []).append(move)
    start = wave * SHORTLIST
    return [move for group in groups.values() for move in group[start : start + SHORTLIST]]


def _room(seen: View, limit: int) -> int:
    """An empty box gets an opening and a question at most."""
    return max(0, min(limit, 3 if seen.sentences else 2))


def _best_of_each(options: Sequence[Option]) -> list[Option]:
    """The most valuable of each mechanism, so that a batch stays small."""
    best = (next((o for o in options if o.move.mechanism == m), None) for m in MECHANISMS)
    return [option for option in best if option is not None]


def _worth(option: Option, added: float) -> float:
    return replace(option, edit=replace(option.edit, after=option.edit.before + added)).value


def _edit(text: str, slot: Slot, before: float) -> Edit:
    op: Op = slot.op
    return Edit(op, slot.index, slot.old, text, before, before)


def _fits(option: Option, chosen: Sequence[Option]) -> bool:
    """Another mechanism, another place, another way of saying it; warmth before understanding."""
    if option.slot.kind == AFTER_WARMTH and not any(_warms(c, option.edit.index - 1) for c in chosen):
        return False
    return all(
        option.move.mechanism != other.move.mechanism
        and not alike(option.edit.new, other.edit.new)
        and not _collide(option, other)
        for other in chosen
    )


def _within_room(seen: View, options: Sequence[Option]) -> bool:
    """Whether several edits do not outgrow the reply; a single one always may. What they take out is not counted."""
    most = max(LEAST_ROOM, MOST_NEW * sum(map(len, seen.sentences)))
    return len(options) == 1 or sum(len(o.edit.new) for o in options) <= most


def _collide(one: Option, other: Option) -> bool:
    """Two replacements of a sentence, or understanding put before the warmth that replaces one."""
    if one.edit.index != other.edit.index:
        return False
    both = one.edit.op == other.edit.op == "replace"
    return both or any(_warms(a, b.edit.index) and b.move.mechanism == "ip" for a, b in ((one, other), (other, one)))


def _warms(option: Option, index: int) -> bool:
    return option.move.mechanism == "er" and option.edit.op == "replace" and option.edit.index == index


class Later:
    """The sources of a rewriter, loaded when a post first asks for them; raises then what loading raises."""

    def __init__(self, name: str, release: Release) -> None:
        self.name, self.release = name, release

    @cached_property
    def loaded(self) -> Sequence[Source]:
        return sources(self.name)[1]

    def moves(self, post: str, reply: str, *, seed: int) -> list[Move]:
        return [move for source in self.loaded for move in source.moves(post, reply, seed=seed)]

    def candidates(self, post: str, *, seed: int) -> list[Move]:
        return [move for source in self.loaded for move in source.candidates(post, seed=seed)]

    def prepare(self, post: str) -> None:
        for source in self.loaded:
            source.prepare(post)


class NoRewriter:
    """The comparator that offers nothing."""

    def __init__(self, scorer: Scorer, gate: float) -> None:
        self.release = Release("none", VERSION, "0" * 64)
        self.scorer = scorer
        self.gate = gate

    def propose(self, post: str, reply: str, *, seed: int, exclude: Collection[str] = (), limit: int = 3) -> Proposal:
        start = time.perf_counter()
        if crisis.screen(post) or crisis.screen(reply):
            return Proposal("screened", None, seconds=time.perf_counter() - start)
        before = self.scorer.score([Pair(post[:LONGEST_POST], view(reply).compose())])[0]
        outcome: Outcome = "nothing_needed" if before.expected_total >= self.gate else "no_suggestion"
        return Proposal(outcome, before, seconds=time.perf_counter() - start)

    def prepare(self, post: str) -> None:
        """Nothing is offered, so nothing is prepared."""


def build(name: str, *, scorer: Scorer, gate: float, min_gain: float, reviewed: Collection[Reviewed] = ()) -> Rewriter:
    """The rewriter called `name`, one of NAMES. Raises UnknownReleaseError, WeightsError or EndpointError."""
    if name == "none":
        return NoRewriter(scorer, gate)
    release, found = later(name) if reviewed and name in LOCAL else sources(name)
    return Partner(release, found, scorer=scorer, gate=gate, min_gain=min_gain, approved=Approved(reviewed))


def later(name: str) -> tuple[Release, list[Source]]:
    """As `sources`, but loaded when a post first needs them: under a full review none ever does."""
    release = described(folder(name))
    return release, [Later(name, release)]


def sources(name: str) -> tuple[Release, list[Source]]:
    """What the rewriter called `name` draws on, loaded. Raises as `build` does."""
    if name == "endpoint":
        from ml.partner import endpoint

        source = endpoint.Endpoint(endpoint.settings())
        return source.release, [source]
    if name not in NAMES:
        raise UnknownReleaseError(f"there is no rewriter {name!r}; there are: {', '.join(NAMES)}")
    from ml.partner.book import PhraseBook

    book = PhraseBook.load()
    if name == "phrasebook":
        return book.release, [book]
    from ml.partner.source import PolicySource

    policy = PolicySource.load()
    return policy.release, [policy, book]
