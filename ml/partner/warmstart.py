"""The warm start: from lessons to trees, so that the policy learns to put back what a good reply had.

As in the paper (WWW 2021, section 5.3) the target is a sentence that a strong reply would hold and this one lacks,
and the place where it stood. A window that already holds a mechanism teaches "stop" for it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ml.partner.corpus import Lesson
from ml.partner.placing import slots, view
from ml.partner.policy import PLACES, STOP, WINDOW, Branch, Packed, Policy, Tokens, Tree, Window, replied, windows
from ml.text import apply
from ml.types import MECHANISMS, Edit, Slot

EMPTY = 0.3  # share of rows with nothing written yet: sentences are drawn ahead of any reply (source.py)
ALREADY = 0.35  # share of rows that hold one good sentence already
PLACE_WEIGHT = 0.3


@dataclass(frozen=True)
class Row:
    """One lesson as it is met once: a reply so far, and the mechanism that it already shows."""

    lesson: Lesson
    reply: str
    shown: str | None


def draw(lesson: Lesson, chance: random.Random) -> Row:
    reply = "" if chance.random() < EMPTY else chance.choice(lesson.drafts)
    if chance.random() >= ALREADY:
        return Row(lesson, reply, None)
    mechanism = chance.choice(MECHANISMS)
    return Row(lesson, put(reply, chance.choice(getattr(lesson, mechanism)), mechanism), mechanism)


def put(reply: str, sentence: str, mechanism: str) -> str:
    """`reply` with `sentence` where it belongs."""
    slot = slots(view(reply), mechanism)[0]
    return apply(reply, [Edit(slot.op, slot.index, slot.old, sentence, 0.0, 0.0)])


def place(slot: Slot, window: Window) -> int:
    """The class of a slot as seen from a window; "stop" where it lies outside."""
    at = slot.index - window.first
    inside = 0 <= at < len(window.text) + (slot.op == "insert") and at <= WINDOW
    mine = slot.op == "replace" or (at > 0 or window.starts)
    return PLACES.index(f"{slot.op} {at}") if inside and mine else STOP


def tree(row: Row, tokens: Tokens, chance: random.Random) -> Tree:
    """One window of the row, with a branch for every sentence of the lesson."""
    window = chance.choice(windows(replied(row.reply)))
    return Tree(
        (*tokens.post(row.lesson.post), *tokens.window(window)),
        tuple(branch for mechanism in MECHANISMS for branch in _branches(row, window, mechanism, tokens)),
    )


def _branches(row: Row, window: Window, mechanism: str, tokens: Tokens) -> list[Branch]:
    if mechanism == row.shown:
        return [Branch(mechanism, (), STOP)]
    target = place(slots(view(row.reply), mechanism)[0], window)
    return [Branch(mechanism, tuple(tokens.sentence(text)), target) for text in getattr(row.lesson, mechanism)]


def losses(policy: Policy, packed: Packed) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the sentences' tokens, and of the places."""
    states = policy.states(packed.ids, packed.mask, packed.positions).flatten(0, 1)
    said = functional.cross_entropy(policy.words(states[packed.predicts]).float(), packed.targets)
    where = functional.cross_entropy(policy.where(states[packed.tag_ends].float()), packed.places)
    return said, where


def epoch(found: Sequence[Lesson], tokens: Tokens, *, size: int, seed: int) -> list[list[Tree]]:
    """One epoch's batches, each lesson met once; batches of like lengths."""
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    rows = [tree(draw(lesson, chance), tokens, chance) for lesson in found]
    rows.sort(key=lambda one: len(one.trunk) + chance.random() * 30)
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    chance.shuffle(batches)
    return batches


def loss(policy: Policy, packed: Packed) -> Tensor:
    said, where = losses(policy, packed)
    return said + PLACE_WEIGHT * where


@torch.no_grad()
def measured(policy: Policy, batches: Sequence[Packed]) -> tuple[float, float]:
    """Mean losses over batches that were not trained on."""
    found = [losses(policy, packed) for packed in batches]
    return tuple(float(torch.stack(side).mean()) for side in zip(*found, strict=True))  # type: ignore[return-value]
