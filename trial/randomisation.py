"""Random allocation that can be replayed for ever: seeded draws and the methods that use them.

Pure: standard library only, no Django. An outsider can read this file and `trial/ledger.py`
and run them on any machine. `GENERATOR` names this exact behaviour; a change that could give
another arm for the same seed needs a new name, and the old behaviour must stay.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from trial.canonical import canonical_json

GENERATOR = "attune-hmac-sha256-1"
SEED_BYTES = 32

# A uniform number in [0, 1) by its counter, bound to one seed, study and stratum.
Draws = Callable[[int], float]


def draw(seed: bytes, study: str, stratum: str, counter: int) -> float:
    """The uniform number in [0, 1) that this seed fixes for this place: 53 bits of an HMAC."""
    message = canonical_json([study, stratum, counter]).encode()
    digest = hmac.new(seed, message, hashlib.sha256).digest()
    return float((int.from_bytes(digest[:8], "big") >> 11) / (1 << 53))


def commitment(seed: bytes, protocol_sha256: str, generator: str = GENERATOR) -> str:
    """What is published at opening: nobody can find the seed from it, nor another that fits."""
    return hashlib.sha256(seed + protocol_sha256.encode() + generator.encode()).hexdigest()


def stratum_text(levels: Iterable[tuple[str, str]]) -> str:
    """One spelling of a stratum: `pre.difficulty=hard`, several joined by `;`; empty without strata."""
    return ";".join(f"{name}={value}" for name, value in levels)


@dataclass(frozen=True)
class Plan:
    """What the protocol says of allocation: the method, the arms with their weights, and its numbers."""

    study: str
    method: str
    arms: tuple[tuple[str, int], ...]
    strata: tuple[str, ...] = ()
    block_sizes: tuple[int, ...] = ()

    @property
    def weight(self) -> int:
        return sum(weight for _, weight in self.arms)


@dataclass(frozen=True)
class History:
    """How many each arm already has, by stratum."""

    counts: Mapping[str, Mapping[str, int]]

    def within(self, stratum: str, plan: Plan) -> dict[str, int]:
        known = self.counts.get(stratum, {})
        return {arm: known.get(arm, 0) for arm, _ in plan.arms}


@dataclass(frozen=True)
class Choice:
    """The arm, and everything it was chosen from: only texts and whole numbers, so that any
    language hashes them alike."""

    arm: str
    inputs: dict[str, Any]


class Method(Protocol):
    """One way to allocate. It sees counts, a stratum and draws, and never a participant."""

    def choose(self, history: History, stratum: str, draws: Draws) -> Choice: ...


@dataclass(frozen=True)
class Simple:
    """Each participant by one draw, in proportion to the weights."""

    plan: Plan

    def choose(self, history: History, stratum: str, draws: Draws) -> Choice:
        before = history.within(stratum, self.plan)
        counter = sum(before.values())
        uniform = draws(counter)
        deck = _deck(self.plan, 1)
        return Choice(
            deck[int(uniform * len(deck))],
            {
                "before": before,
                "counter": counter,
                "draws": [_written(uniform)],
                "probability": _shares(self.plan, deck),
            },
        )


@dataclass(frozen=True)
class PermutedBlocks:
    """Blocks of random size within each stratum; every completed block holds the exact weights.

    A block that starts after n allocations of its stratum uses the draws n, n+1, ...: the first
    for its size, the others to shuffle it. A block of s uses exactly s draws, so the number of
    allocations so far is all that is needed to find the block again.
    """

    plan: Plan

    def choose(self, history: History, stratum: str, draws: Draws) -> Choice:
        before = history.within(stratum, self.plan)
        block, start, size = self._block(sum(before.values()), draws)
        order = self._order(start, size, draws)
        place = sum(before.values()) - start
        return Choice(
            order[place],
            {
                "before": before,
                "block": block,
                "size": size,
                "place": place + 1,
                "counter": start,
                "draws": [] if place else [_written(draws(start + i)) for i in range(size)],
                "probability": _shares(self.plan, order[place:]),
            },
        )

    def _block(self, allocated: int, draws: Draws) -> tuple[int, int, int]:
        """Number, start and size of the block that the next allocation falls in."""
        block, start, size = 1, 0, self._size(draws(0))
        while start + size <= allocated:
            block, start = block + 1, start + size
            size = self._size(draws(start))
        return block, start, size

    def _size(self, uniform: float) -> int:
        return self.plan.block_sizes[int(uniform * len(self.plan.block_sizes))]

    def _order(self, start: int, size: int, draws: Draws) -> list[str]:
        """Fisher-Yates, from the last card to the second."""
        deck = _deck(self.plan, size // self.plan.weight)
        for last in range(size - 1, 0, -1):
            other = int(draws(start + size - last) * (last + 1))
            deck[last], deck[other] = deck[other], deck[last]
        return deck


# `stratified_blocks` is the same method: the stratum it is given is then not empty.
METHODS: dict[str, Callable[[Plan], Method]] = {
    "simple": Simple,
    "permuted_blocks": PermutedBlocks,
    "stratified_blocks": PermutedBlocks,
}


def choose(seed: bytes, plan: Plan, history: History, stratum: str) -> Choice:
    """The next allocation of a stratum.

    Raises:
        KeyError: the plan names a method that this generator does not have.
    """
    return METHODS[plan.method](plan).choose(history, stratum, lambda counter: draw(seed, plan.study, stratum, counter))


def _deck(plan: Plan, times: int) -> list[str]:
    return [arm for arm, weight in plan.arms for _ in range(weight * times)]


def _shares(plan: Plan, cards: list[str]) -> dict[str, str]:
    """The probability of each arm among the cards left, as an exact fraction."""
    return {arm: str(Fraction(cards.count(arm), len(cards))) for arm, _ in plan.arms}


def _written(uniform: float) -> str:
    return f"{uniform:.16f}"
