"""A strict reader, learnt: the chance that one sentence may be shown under one post as it is.

The labels are verdicts on this policy's own sentences (`judging/labels.jsonl`, by `judging/criteria.md`). It goes by
how likely the policy itself finds a sentence, how much of it stands in the post, and whether it was copied: a logistic
regression over such measures told the verdicts apart as well as larger models did (docs/rewriter.md), and can be read.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from ml.partner import mirror
from ml.partner.decoding import Decoder, Likely
from ml.partner.filters import stems
from ml.types import MECHANISMS

LABELS = Path(__file__).parent / "judging" / "labels.jsonl"
DECAY = 0.001  # of the squared weights
SELDOM = 20  # a measure of fewer sentences is left out
SAD = 0.3  # a tone above which a clause is one to be sorry for
OPENING = 4  # words by which a sentence's opening is known
FOLDS = 5


@dataclass(frozen=True)
class Judged:
    """One sentence under one post, and whether a participant may see it as it is."""

    post: str
    mechanism: str
    text: str
    mirrored: bool
    shown: bool


class LabelError(ValueError):
    """The labels cannot be read; says where."""


def labels(path: Path = LABELS) -> list[Judged]:
    """Every verdict of the file: a JSON line for each post, with its `verdicts`. Raises LabelError."""
    found: list[Judged] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            found += [_judged(row["post"], *verdict) for verdict in row["verdicts"]]
        except (ValueError, KeyError, TypeError) as error:
            raise LabelError(f"{path.name}:{number}: {error!r}") from error
    return found


def _judged(post: str, mechanism: str, text: str, source: str, verdict: str) -> Judged:
    """`verdict` is "y", or "n" and the main fault: facts, grammar, not particular, unhelpful, unsafe."""
    if mechanism not in MECHANISMS or source not in ("policy", "mirror") or (verdict != "y" and verdict[:1] != "n"):
        raise ValueError(f"{mechanism} {source} {verdict}")
    return Judged(post, mechanism, text, source == "mirror", verdict == "y")


def measures(
    post: str, mechanism: str, text: str, likely: Likely, *, mirrored: bool, tone: float = 0.0
) -> dict[str, float]:
    """What the reader goes by, each about -1 to 1; `tone` is how much sooner the policy is sorry than glad."""
    mine, theirs = stems(text), stems(post)
    words = (len(text.split()) - 12) / 6
    found = {
        "one": 1.0,
        "mean": likely.mean,
        "mean_squared": likely.mean**2,
        "least": likely.least / 5,
        "mirrored": float(mirrored),
        "mirrored_mean": likely.mean * mirrored,
        "echo": len(mine & theirs) / max(1, len(mine)),
        "echoes": min(5, len(mine & theirs)) / 5,
        "words": words,
        "words_squared": words**2,
        f"is_{mechanism}": 1.0,
        f"is_{mechanism}_mean": likely.mean,
        f"is_{mechanism}_mirrored": float(mirrored),
        f"is_{mechanism}_tone": tone,
        f"is_{mechanism}_sad": float(tone > SAD),
        f"opens {' '.join(text.split()[:OPENING])}": 1.0,
    }
    copied = {f"copied_{name}": value for name, value in copies(text, mirror.said_back(post)).items()}
    return found | copied | {f"own_{name}": value for name, value in copied.items() if not mirrored}


def copies(text: str, back: Sequence[str]) -> dict[str, float]:
    """How much of the sentence stands in the post as it is said back: shares of word pairs, triples and fours, the
    longest run, and the words that do not stand there at all."""
    mine = mirror.words(text)
    shares = {str(n): _share(mine, back, n) for n in (2, 3, 4)}
    run = next((n for n in range(len(mine), 0, -1) if _share(mine, back, n) > 0), 0)
    novel = sum(word not in set(back) for word in mine[OPENING:])
    return shares | {"run": run / max(1, len(mine)), "long": run / 10, "novel": novel / 5}


def _share(mine: Sequence[str], back: Sequence[str], n: int) -> float:
    there = {tuple(back[i : i + n]) for i in range(len(back) - n + 1)}
    parts = [tuple(mine[i : i + n]) for i in range(len(mine) - n + 1)]
    return sum(part in there for part in parts) / max(1, len(parts))


@dataclass(frozen=True)
class Told:
    """What the trials of a clause tell: how near the heart of the post it is, and its tone."""

    heart: float
    tone: float


def tones(decoder: Decoder, post: str, clauses: Sequence[str]) -> dict[str, Told]:
    unlike = list(dict.fromkeys(clauses))
    likely = decoder.likelihoods(post, [one for clause in unlike for one in mirror.trials(clause)])
    means = [one.mean for one in likely]
    return {
        clause: Told(max(means[3 * i], means[3 * i + 1]), means[3 * i] - means[3 * i + 2])
        for i, clause in enumerate(unlike)
    }


def measured(decoder: Decoder, found: Sequence[Judged]) -> list[dict[str, float]]:
    """The measures of each, in the order given; every post is read once."""
    posts: dict[str, list[int]] = {}
    for i, one in enumerate(found):
        posts.setdefault(one.post, []).append(i)
    rows: dict[int, dict[str, float]] = {}
    for post, mine in posts.items():
        said = [(found[i].mechanism, found[i].text) for i in mine]
        clauses = [mirror.clause_of(found[i].text) for i in mine if found[i].mirrored]
        told = tones(decoder, post, clauses)
        for i, likely in zip(mine, decoder.likelihoods(post, said), strict=True):
            one = found[i]
            tone = told[mirror.clause_of(one.text)].tone if one.mirrored else 0.0
            rows[i] = measures(post, one.mechanism, one.text, likely, mirrored=one.mirrored, tone=tone)
    return [rows[i] for i in range(len(found))]


@dataclass(frozen=True)
class Reader:
    """A weight for each measure."""

    weights: Mapping[str, float]

    def chance(self, found: Mapping[str, float]) -> float:
        total = sum(self.weights.get(name, 0.0) * value for name, value in found.items())
        if math.isnan(total):
            return 0.0
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))

    def stored(self) -> dict[str, float]:
        return {name: round(value, 5) for name, value in self.weights.items()}


def fit(rows: Sequence[Mapping[str, float]], shown: Sequence[bool]) -> Reader:
    """Logistic regression with a small penalty. Raises ValueError without rows."""
    if not rows:
        raise ValueError("a reader learns from at least one verdict")
    often = Counter(name for row in rows for name in row)
    names = [name for name, count in often.items() if count >= SELDOM]
    if not names:
        return Reader({})
    x = torch.tensor([[row.get(name, 0.0) for name in names] for row in rows], dtype=torch.float64)
    y = torch.tensor(shown, dtype=torch.float64)
    weights = torch.zeros(len(names), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=500, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = functional.binary_cross_entropy_with_logits(x @ weights, y) + DECAY * weights.square().sum()
        torch.autograd.backward(value)
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return Reader(dict(zip(names, weights.detach().tolist(), strict=True)))


def fold(post: str) -> int:
    """The fold of a post; all sentences under it are in the same."""
    return int(hashlib.sha256(post.encode()).hexdigest(), 16) % FOLDS


def across(found: Sequence[Judged], rows: Sequence[Mapping[str, float]]) -> list[float]:
    """The chance of each sentence by a reader of the other folds."""
    readers = []
    for held in range(FOLDS):
        others = [i for i, one in enumerate(found) if fold(one.post) != held]
        readers.append(fit([rows[i] for i in others], [found[i].shown for i in others]))
    return [readers[fold(one.post)].chance(row) for one, row in zip(found, rows, strict=True)]


def quality(found: Sequence[Judged], chances: Sequence[float]) -> dict[str, Any]:
    """How well chances tell verdicts apart, and what is shown of each post's likeliest, and of what passes 50%."""
    good = torch.tensor([c for one, c in zip(found, chances, strict=True) if one.shown])
    bad = torch.tensor([c for one, c in zip(found, chances, strict=True) if not one.shown])
    posts: dict[str, tuple[float, bool]] = {}
    for one, chance in zip(found, chances, strict=True):
        posts[one.post] = max(posts.get(one.post, (-1.0, False)), (chance, one.shown))
    passed = [one.shown for one, chance in zip(found, chances, strict=True) if chance >= 0.5]
    return {
        "n": len(found),
        "posts": len(posts),
        "shown": round(len(good) / max(1, len(found)), 3),
        "auc": round(float(((good[:, None] > bad) + 0.5 * (good[:, None] == bad)).mean()), 3)
        if len(good) and len(bad)
        else None,
        "shown_of_each_posts_likeliest": round(sum(shown for _, shown in posts.values()) / max(1, len(posts)), 3),
        "passed": len(passed),
        "shown_of_passed": round(sum(passed) / max(1, len(passed)), 3),
    }
