"""The trained policy as a source of moves: its sentences at the places that it chose, or nothing where it stops."""

from __future__ import annotations

import logging

import torch

from ml.partner import release
from ml.partner.coherence import Embedder
from ml.partner.decoding import Decoder, Draft
from ml.partner.filters import ADDRESSED
from ml.partner.phrases import MODEL, Move, cold
from ml.partner.placing import SHOWN_CHARACTERS
from ml.partner.policy import PLACES, STOP, Policy, Tokens, replied
from ml.types import Op, Release, Slot

log = logging.getLogger(__name__)

SAMPLES = 2  # sentences for each mechanism and request
LEAST_LIKELIHOOD = -1.9  # mean log-probability a token; below it, sentences wander
SURE = 0.6  # how sure of replacing a sentence that is not plainly cold
READ = 1_200  # characters of a post that are read


class PolicySource:
    """The policy in memory. The same post, reply and seed give the same moves."""

    def __init__(self, policy: Policy, tokens: Tokens, found: Release, *, samples: int = SAMPLES) -> None:
        self.release = found
        self.decoder = Decoder(policy, tokens)
        self.embed = Embedder()
        self.samples = samples

    @classmethod
    def load(cls) -> PolicySource:
        """Raises WeightsError where the release or the language model is not as it was released."""
        found = cls(*release.load())
        found.moves("A short post to read once, before anybody waits.", "Ok.", seed=0)
        log.info("rewriter %s ready", found.release)
        return found

    def moves(self, post: str, reply: str, *, seed: int) -> list[Move]:
        """The drafts with a place, closest to the post first; of fit 0 where the policy found them unlikely."""
        with torch.inference_mode():
            drafts = self.decoder.drafts(post[:READ], reply, samples=self.samples, seed=seed)
        mine = replied(reply)
        placed = [(draft, place(draft, mine)) for draft in drafts]
        kept = [(draft, slot) for draft, slot in placed if slot and draft.text]
        near = self._nearness(post, [draft.text for draft, _ in kept])
        moves = [
            Move(draft.mechanism, draft.text, MODEL, fit(draft, closeness), slot)
            for (draft, slot), closeness in zip(kept, near, strict=True)
        ]
        return sorted(moves, key=lambda move: -move.fit)

    def _nearness(self, post: str, texts: list[str]) -> list[float]:
        """Cosine of each sentence and the post."""
        if not texts:
            return []
        vectors = self.embed([post[:READ], *texts])
        return (vectors[1:] @ vectors[0]).tolist()


def fit(draft: Draft, closeness: float) -> float:
    """How closely a sentence knows the post, on the scale of the phrase book: 1 any post, 3 its situation."""
    if draft.likelihood < LEAST_LIKELIHOOD:
        return 0.0
    return 2.0 + min(1.5, 2.0 * max(0.0, closeness)) + 0.2 * bool(ADDRESSED.search(draft.text))


def place(draft: Draft, mine: list[str]) -> Slot | None:
    """The likeliest place that this reply has; None where the policy would rather stop.

    A sentence of the writer's is replaced only where it is plainly cold or the policy is sure.
    """
    order = sorted(range(len(PLACES)), key=lambda at: -draft.places[at])
    for at in order:
        if at == STOP:
            return None
        slot = _slot(draft, at, mine)
        if slot:
            return slot
    return None


def _slot(draft: Draft, at: int, mine: list[str]) -> Slot | None:
    name, offset = PLACES[at].split()
    op: Op = "insert" if name == "insert" else "replace"
    index = draft.window.first + int(offset)
    if op == "insert":
        return Slot(op, index) if index <= len(mine) else None
    if index >= len(mine) or len(mine[index]) >= SHOWN_CHARACTERS:
        return None
    plainly = cold(mine[index])
    return Slot(op, index, mine[index], plainly or "") if plainly or draft.places[at] >= SURE else None
