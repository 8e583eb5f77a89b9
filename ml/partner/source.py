"""The trained policy as a source of moves: its best sentences for a post, at the places that it chose in a reply."""

from __future__ import annotations

import hashlib
import json
import logging
import random
from dataclasses import replace

from ml import runtime
from ml.partner import release
from ml.partner.ahead import Ahead, Candidate
from ml.partner.decoding import Decoder, Need
from ml.partner.drawing import draw
from ml.partner.phrases import MODEL, Move, cold
from ml.partner.placing import LONGEST_POST, SHOWN_CHARACTERS, View, view
from ml.partner.policy import PLACES, STOP, Policy, Tokens
from ml.partner.reader import Reader
from ml.safety.orders import hidden
from ml.types import Op, Release, Slot

log = logging.getLogger(__name__)

VERSION = 4  # of how sentences are drawn: another one draws again
SAMPLES = 8  # sentences for each mechanism and post
# That a strict reader would show it; of what he learnt from, one sentence in seven was shown. A question about a wrong
# moment is dull; sorrow about what is no sorrow can shame.
LEAST_CHANCE = {"er": 0.45, "ip": 0.45, "ex": 0.3}
SPREAD = 4.0  # how far a sure sentence stands above a doubtful one
SEED = 11  # of what is drawn ahead, so that every worker of one kind of CPU draws the same
SURE = 0.6  # how sure of replacing a sentence that is not plainly cold


class PolicySource:
    """The policy in memory. The same post, reply and seed give the same moves."""

    def __init__(
        self,
        policy: Policy,
        tokens: Tokens,
        reader: Reader,
        found: Release,
        *,
        samples: int = SAMPLES,
        mirrored: bool = True,
    ) -> None:
        self.release = found
        self.decoder = Decoder(policy, tokens)
        self.reader, self.samples, self.mirrored = reader, samples, mirrored
        drawn = [found.sha256, VERSION, reader.stored(), samples, mirrored, SEED]
        key = hashlib.sha256(json.dumps(drawn, sort_keys=True).encode()).hexdigest()
        self.ahead = Ahead(self._draw, key)

    @classmethod
    def load(cls) -> PolicySource:
        """Raises WeightsError where the release or the language model is not as it was released."""
        found = cls(*release.load())
        runtime.trim()  # the weights came in float32, four hundred megabytes more than they need now
        log.info("rewriter %s ready", found.release)
        return found

    def moves(self, post: str, reply: str, *, seed: int) -> list[Move]:
        """The sentences that have a place in this reply, those that a reader would most likely show first."""
        post = hidden(post[:LONGEST_POST])
        if not post:
            return []
        seen = view(reply)
        slots = {need.mechanism: place(need, seen) for need in self.decoder.needs(post, reply)}
        placed = [replace(move, slot=slots[move.mechanism]) for move in self.candidates(post, seed=seed)]
        return [move for move in placed if move.slot]

    def candidates(self, post: str, *, seed: int) -> list[Move]:
        """What could be said under the post, the likeliest to be shown first; such as are alike in the seed's order."""
        post = hidden(post[:LONGEST_POST])
        found = list(self.ahead(post)) if post else []
        random.Random(seed).shuffle(found)  # noqa: S311 - variety, not secrecy
        moves = [Move(one.mechanism, one.text, MODEL, fit(one)) for one in found]
        return sorted(moves, key=lambda move: -move.rank)

    def prepare(self, post: str) -> None:
        if post := hidden(post[:LONGEST_POST]):
            self.ahead(post)

    def _draw(self, post: str) -> list[Candidate]:
        drawn = draw(self.decoder, post, samples=self.samples, seed=SEED, mirrored=self.mirrored)
        return [Candidate(one.mechanism, one.text, self.reader.chance(one.measures(post))) for one in drawn]


def fit(one: Candidate) -> float:
    """The reader's chance on the phrase book's scale of fits; 0 for a doubtful sentence."""
    return SPREAD * one.chance if one.chance >= LEAST_CHANCE[one.mechanism] else 0.0


def place(need: Need, seen: View) -> Slot | None:
    """The likeliest place that this reply has; None where the policy would rather stop.

    A sentence of the writer's is replaced only where it is plainly cold or the policy is sure.
    """
    order = sorted(range(len(PLACES)), key=lambda at: -need.places[at])
    for at in order:
        if at == STOP:
            return None
        slot = _slot(need, at, seen)
        if slot:
            return slot
    return None


def _slot(need: Need, at: int, seen: View) -> Slot | None:
    mine = seen.sentences
    name, offset = PLACES[at].split()
    op: Op = "insert" if name == "insert" else "replace"
    index = need.window.first + int(offset)
    if op == "insert":
        return Slot(op, seen.between(index)) if index <= len(mine) else None
    if index >= len(mine) or len(mine[index]) >= SHOWN_CHARACTERS:
        return None
    plainly = cold(mine[index])
    return Slot(op, index, mine[index], plainly or "") if plainly or need.places[at] >= SURE else None
