"""All that could be said under a post: what the policy writes, and the post's own clauses behind its openings."""

from __future__ import annotations

from dataclasses import dataclass

from ml.partner import mirror
from ml.partner.decoding import Decoder, Likely
from ml.partner.reader import measures

HEARTS = 3  # clauses that are tried behind every opening


@dataclass(frozen=True)
class Drawn:
    """A sentence, how likely the policy finds it, and whether its clause was copied from the post."""

    mechanism: str
    text: str
    likely: Likely
    mirrored: bool

    def measures(self, post: str) -> dict[str, float]:
        return measures(post, self.mechanism, self.text, self.likely, mirrored=self.mirrored)


def draw(decoder: Decoder, post: str, *, samples: int, seed: int, mirrored: bool = True) -> list[Drawn]:
    """Each sentence once; `samples` of the policy's own for each mechanism."""
    own = [
        Drawn(d.mechanism, d.text, d.likely, mirrored=False)
        for d in decoder.drafts(post, "", samples=samples, seed=seed)
    ]
    found = {(one.mechanism, one.text): one for one in own if one.text}
    if mirrored:
        found |= {(one.mechanism, one.text): one for one in _mirrored(decoder, post)}
    return list(found.values())


def _mirrored(decoder: Decoder, post: str) -> list[Drawn]:
    said = [one for clause in _hearts(decoder, post) for one in mirror.framed(clause)]
    likely = decoder.likelihoods(post, said)
    return [Drawn(mechanism, text, one, mirrored=True) for (mechanism, text), one in zip(said, likely, strict=True)]


def _hearts(decoder: Decoder, post: str) -> list[str]:
    """The clauses that the policy would sooner take up than the others."""
    clauses = mirror.clauses(post)
    tried = [(clause, *one) for clause in clauses for one in mirror.trials(clause)]
    likely = decoder.likelihoods(post, [(mechanism, text) for _, mechanism, text in tried])
    best = dict.fromkeys(clauses, -99.0)
    for (clause, _, _), one in zip(tried, likely, strict=True):
        best[clause] = max(best[clause], one.mean)
    return sorted(clauses, key=lambda clause: -best[clause])[:HEARTS]
