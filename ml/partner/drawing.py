"""All that could be said under a post: what the policy writes, and the post's own clauses behind its openings."""

from __future__ import annotations

from dataclasses import dataclass

from ml.partner import mirror
from ml.partner.decoding import Decoder, Likely
from ml.partner.reader import measures, tones

HEARTS = 4  # clauses that are tried behind every opening
LEAST_TONE = 0.2  # below it a clause is one to be glad of, or neither


@dataclass(frozen=True)
class Drawn:
    """A sentence, how likely the policy finds it, and of what tone its clause is, if it was copied from the post."""

    mechanism: str
    text: str
    likely: Likely
    tone: float | None = None

    def measures(self, post: str) -> dict[str, float]:
        mirrored = self.tone is not None
        return measures(post, self.mechanism, self.text, self.likely, mirrored=mirrored, tone=self.tone or 0.0)


def draw(decoder: Decoder, post: str, *, samples: int, seed: int, mirrored: bool = True) -> list[Drawn]:
    """Each sentence once; `samples` of the policy's own for each mechanism."""
    own = [Drawn(one.mechanism, one.text, one.likely) for one in decoder.drafts(post, "", samples=samples, seed=seed)]
    found = {(one.mechanism, one.text): one for one in _fitting(decoder, post, own)}
    if mirrored:
        found |= {(one.mechanism, one.text): one for one in _mirrored(decoder, post)}
    return list(found.values())


def _fitting(decoder: Decoder, post: str, own: list[Drawn]) -> list[Drawn]:
    """Without sorrow for what is rather to be glad of: "I'm sorry you were so relieved"."""
    sorry = {one.text: mirror.clause_of(one.text) for one in own if mirror.SORRY.match(one.text)}
    told = tones(decoder, post, list(sorry.values()))
    return [one for one in own if one.text and (one.text not in sorry or told[sorry[one.text]].tone >= LEAST_TONE)]


def _mirrored(decoder: Decoder, post: str) -> list[Drawn]:
    """The clauses nearest the heart of the post, behind every opening."""
    told = tones(decoder, post, mirror.clauses(post))
    hurts = [clause for clause in told if told[clause].tone >= LEAST_TONE]
    hearts = sorted(hurts, key=lambda clause: -told[clause].heart)[:HEARTS]
    said = [(clause, *one) for clause in hearts for one in mirror.framed(clause)]
    likely = decoder.likelihoods(post, [(mechanism, text) for _, mechanism, text in said])
    return [
        Drawn(mechanism, text, one, told[clause].tone)
        for (clause, mechanism, text), one in zip(said, likely, strict=True)
    ]
