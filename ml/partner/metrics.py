"""The figures by which rewriters are compared (PARTNER, WWW 2021, section 6.1), each with its interval."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from ml.partner.coherence import Coherence
from ml.text import apply, sentences
from ml.types import Edit, Pair, Proposal, Scorer

Floats = NDArray[np.float64]
Total = Callable[[Sequence[Pair]], list[float]]
Embed = Callable[[Sequence[str]], list[torch.Tensor]]
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

RESAMPLES = 2_000
WORD = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")
BATCH = 8
MOST_FREQUENT = 50
SEEN, HELD, COMPOSED = "seekers_of_reward", "seekers_of_neither", "composed"
# figure: (column summed, column divided by; a plain mean without one)
FIGURES = {
    "empathy": ("judge", ""),
    "empathy_first": ("judge_first", ""),
    "reward": ("reward", ""),
    "reward_first": ("reward_first", ""),
    "judge_of_reward": ("judge", "reward"),
    "judge_of_reward_first": ("judge_first", "reward_first"),
    "perplexity": ("surprise", "tokens"),
    "specificity": ("specificity", ""),
    "coherence": ("coherence", ""),
    "edit_rate": ("edit_rate", ""),
    "edit_rate_pooled": ("distance", "length"),
    "edit_rate_words": ("edit_rate_words", ""),
}
LONGEST = 500  # tokens of a reply that the language model reads; the smallest models hold 512


class Remembered(Generic[K, V]):
    """A batched function that computes each key once: rewriters share the replies that they leave alone."""

    def __init__(self, compute: Callable[[list[K]], Iterable[V]]) -> None:
        self.compute = compute
        self.known: dict[K, V] = {}

    def __call__(self, keys: Sequence[K]) -> list[V]:
        fresh = [key for key in dict.fromkeys(keys) if key not in self.known]
        if fresh:
            self.known.update(zip(fresh, self.compute(fresh), strict=True))
        return [self.known[key] for key in keys]


# --- words and edits --------------------------------------------------------------------------


def words(text: str) -> list[str]:
    """Words in small letters, and every mark or emoji by itself."""
    return WORD.findall(text.lower())


def distinct(texts: Iterable[str], n: int) -> float | None:
    """Different n-grams of words over all n-grams (Li et al., NAACL 2016), for n of 1 or 2; None without any.

    It falls as texts are added, so figures compare only over equally many; and a bootstrap, which repeats
    rows, would bias it, so it has no interval.
    """
    found: list[Hashable] = []
    for text in texts:
        mine = words(text)
        found += mine if n == 1 else pairwise(mine)
    return round(len(set(found)) / len(found), 4) if found else None


def levenshtein(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Fewest insertions, deletions and substitutions of items (for a string: code points)."""
    codes = {item: i for i, item in enumerate(dict.fromkeys([*one, *other]))}
    target = np.array([codes[item] for item in other], dtype=np.int64)
    steps = np.arange(len(other) + 1)
    row = steps
    for item in one:
        reached = np.append(row[0] + 1, np.minimum(row[1:] + 1, row[:-1] + (target != codes[item])))
        row = np.minimum.accumulate(reached - steps) + steps  # an insertion costs one for each step to the right
    return int(row[-1])


def edit_rate(before: Sequence[Hashable], after: Sequence[Hashable]) -> float:
    """Levenshtein distance over the original's length: the paper's edit rate. NaN where nothing was written."""
    return levenshtein(before, after) / len(before) if before else float("nan")


def beside(reply: str, edits: Sequence[Edit]) -> list[tuple[str, str]]:
    """(new sentence, sentence of the writer's that stays next to it), at most two for each new sentence."""
    own = [one.text for one in sentences(reply)]
    gone = {edit.index for edit in edits if edit.op == "replace"}
    left = [i for i in range(len(own)) if i not in gone]
    found = []
    for edit in edits:
        near = [*[i for i in left if i < edit.index][-1:], *[i for i in left if i >= edit.index][:1]]
        found += [(edit.new, own[i]) for i in near if edit.new]
    return found


# --- intervals --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95% interval over `n` rows; no interval where a resample leaves the figure undefined."""

    value: float
    low: float | None
    high: float | None
    n: int

    def stored(self) -> dict[str, float | int | None]:
        return {
            "value": round(self.value, 4),
            "low": None if self.low is None else round(self.low, 4),
            "high": None if self.high is None else round(self.high, 4),
            "n": self.n,
        }

    def exp(self) -> Estimate:
        low, high = (None if end is None else math.exp(end) for end in (self.low, self.high))
        return Estimate(math.exp(self.value), low, high, self.n)


def estimate(top: Floats, bottom: Floats | None = None, *, seed: int, resamples: int = RESAMPLES) -> Estimate | None:
    """Sum of `top` over sum of `bottom` (by default a mean), with a percentile bootstrap over rows.

    Rows where either is NaN are left out. None where no row is left or the bottom's sum is not above zero.
    """
    bottom = np.ones_like(top) if bottom is None else bottom
    known = np.isfinite(top) & np.isfinite(bottom)
    top, bottom = top[known], bottom[known]
    if bottom.sum() <= 0:
        return None
    chosen = np.random.default_rng(seed).integers(len(top), size=(resamples, len(top)))
    tops, bottoms = top[chosen].sum(1), bottom[chosen].sum(1)
    value = float(top.sum() / bottom.sum())
    if (bottoms <= 0).any():
        return Estimate(value, None, None, len(top))
    low, high = np.percentile(tops / bottoms, [2.5, 97.5])
    return Estimate(value, float(low), float(high), len(top))


# --- fluency ----------------------------------------------------------------------------------


class Language:
    """A causal language model that says how surprising a text is, each token given those before it."""

    def __init__(self, model: Any, encode: Callable[[str], list[int]], start: int) -> None:
        self.model, self.encode, self.start = model.eval(), encode, start

    def surprise(self, texts: Sequence[str]) -> list[tuple[float, int]]:
        """(minus the sum of natural log-probabilities, tokens) of each text, behind the start token.

        Perplexity is the exponential of their ratio.
        """
        rows = [[self.start, *self.encode(text)[:LONGEST]] for text in texts]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        found: dict[int, tuple[float, int]] = {}
        for first in range(0, len(order), BATCH):
            chosen = order[first : first + BATCH]
            found.update(zip(chosen, self._batch([rows[i] for i in chosen]), strict=True))
        return [found[i] for i in range(len(rows))]

    @torch.inference_mode()
    def _batch(self, rows: list[list[int]]) -> list[tuple[float, int]]:
        """Filling stands on the right, where a causal model does not see it."""
        width = max(map(len, rows))
        ids, seen = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width, dtype=torch.long)
        for row, one in enumerate(rows):
            ids[row, : len(one)], seen[row, : len(one)] = torch.tensor(one), 1
        logs = self.model(input_ids=ids, attention_mask=seen).logits[:, :-1].float().log_softmax(-1)
        said = logs.gather(-1, ids[:, 1:].unsqueeze(-1)).squeeze(-1) * seen[:, 1:]
        return [(-total, len(one) - 1) for total, one in zip(said.sum(1).tolist(), rows, strict=True)]


# --- one rewriter ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A post and reply to rewrite, and where it is from: SEEN, HELD or COMPOSED."""

    pair: Pair
    source: str


@dataclass(frozen=True)
class Turn:
    """A row and what a rewriter made of it."""

    row: Row
    proposal: Proposal

    @property
    def after(self) -> str:
        """The reply with every edit accepted."""
        return apply(self.row.pair.response, self.proposal.edits)

    @property
    def after_first(self) -> str:
        """The reply with the edit that gains most by the rewriter's own scorer."""
        return apply(self.row.pair.response, sorted(self.proposal.edits, key=lambda edit: -edit.gain)[:1])


@dataclass(frozen=True)
class Tools:
    """What measures. Tools that are missing leave out their figures; `left_out` says why."""

    judge: Total
    reward: Total
    surprise: Callable[[Sequence[str]], list[tuple[float, int]]] | None = None
    embed: Embed | None = None
    coherence: Coherence | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)


def totals(scorer: Scorer) -> Remembered[Pair, float]:
    """Expected totals, 0-6."""
    return Remembered(lambda pairs: [score.expected_total for score in scorer.score(pairs)])


def columns(turns: Sequence[Turn], tools: Tools) -> dict[str, Floats]:
    """One value a row for everything that FIGURES are made of; NaN where a row has none."""
    found = _gains(turns, tools.judge, "judge") | _gains(turns, tools.reward, "reward") | _sizes(turns)
    if tools.surprise:
        surprise = np.array(tools.surprise([turn.after for turn in turns]), dtype=float).reshape(-1, 2)
        found |= {"surprise": surprise[:, 0], "tokens": surprise[:, 1]}
    if tools.embed:
        found["specificity"] = _specificity(turns, tools.embed)
        if tools.coherence:
            found["coherence"] = np.array([_coherence(turn, tools.embed, tools.coherence) for turn in turns])
    return found


def _gains(turns: Sequence[Turn], total: Total, name: str) -> dict[str, Floats]:
    """Change of the expected total with all edits, and with the first alone."""
    before = _totals(turns, total, [turn.row.pair.response for turn in turns])
    after = _totals(turns, total, [turn.after for turn in turns])
    first = _totals(turns, total, [turn.after_first for turn in turns])
    return {name: after - before, f"{name}_first": first - before}


def _totals(turns: Sequence[Turn], total: Total, replies: Sequence[str]) -> Floats:
    pairs = [Pair(turn.row.pair.seeker, reply) for turn, reply in zip(turns, replies, strict=True)]
    return np.array(total(pairs), dtype=np.float64)


def _sizes(turns: Sequence[Turn]) -> dict[str, Floats]:
    both = [(turn.row.pair.response, turn.after) for turn in turns]
    rate = np.array([edit_rate(one, other) for one, other in both])
    length = np.array([len(one) for one, _ in both], dtype=float)
    by_words = np.array([edit_rate(words(one), words(other)) for one, other in both])
    return {"edit_rate": rate, "length": length, "distance": rate * length, "edit_rate_words": by_words}


def _specificity(turns: Sequence[Turn], embed: Embed) -> Floats:
    posts, replies = embed([turn.row.pair.seeker for turn in turns]), embed([turn.after for turn in turns])
    return np.array([float(post @ reply) for post, reply in zip(posts, replies, strict=True)])


@torch.inference_mode()
def _coherence(turn: Turn, embed: Embed, judge: Coherence) -> float:
    """Mean chance over the new sentences and the writer's own beside them."""
    near = beside(turn.row.pair.response, turn.proposal.edits)
    if not near:
        return float("nan")
    new, own = (torch.stack(embed([pair[side] for pair in near])) for side in (0, 1))
    return float(judge(new, own).sigmoid().mean())


def report(turns: Sequence[Turn], tools: Tools, seed: int) -> dict[str, Any]:
    """Everything that is said of one rewriter on one group of rows; of their texts only the new sentences."""
    values = columns(turns, tools)
    outcomes = Counter(turn.proposal.outcome for turn in turns)
    scopes = {
        "all": [True] * len(turns),
        "changed": [bool(turn.proposal.edits) for turn in turns],
        "not_left_alone": [turn.proposal.outcome != "nothing_needed" for turn in turns],
        HELD: [turn.row.source == HELD for turn in turns],
    }
    return {
        "n": len(turns),
        "outcomes": dict(outcomes),
        "offered": _stored(estimate(np.array(scopes["changed"], dtype=float), seed=seed)),
        "left_alone": _stored(estimate(1.0 - np.array(scopes["not_left_alone"], dtype=float), seed=seed)),
        **{name: _figures(turns, values, chosen, seed) for name, chosen in scopes.items()},
        "refused": _refused(turns, seed),
        "seconds": _seconds(turns),
        "inserted": _inserted(turns),
    }


def _figures(turns: Sequence[Turn], values: dict[str, Floats], chosen: list[bool], seed: int) -> dict[str, Any]:
    mask = np.array(chosen, dtype=bool)
    found: dict[str, Any] = {"n": int(mask.sum())}
    for name, (top, bottom) in FIGURES.items():
        if top in values:
            one = estimate(values[top][mask], values[bottom][mask] if bottom else None, seed=seed)
            found[name] = _stored(one.exp() if one and name == "perplexity" else one)
    mine = [turn for turn, keep in zip(turns, chosen, strict=True) if keep]
    for n in (1, 2):
        found[f"distinct_{n}"] = distinct((turn.after for turn in mine), n)
        found[f"distinct_{n}_inserted"] = distinct((edit.new for turn in mine for edit in turn.proposal.edits), n)
    return found


def _stored(one: Estimate | None) -> dict[str, Any] | None:
    return one.stored() if one else None


def _refused(turns: Sequence[Turn], seed: int) -> dict[str, Any]:
    counts = np.array([len(turn.proposal.refused) for turn in turns], dtype=float)
    reasons = Counter(refusal.reason for turn in turns for refusal in turn.proposal.refused)
    return {
        "rows_with_a_refusal": _stored(estimate((counts > 0).astype(float), seed=seed)),
        "candidates_a_row": _stored(estimate(counts, seed=seed)),
        "reasons": dict(reasons.most_common()),
    }


def _seconds(turns: Sequence[Turn]) -> dict[str, float] | None:
    if not turns:
        return None
    median, p95 = np.percentile([turn.proposal.seconds for turn in turns], [50, 95])
    return {"median": round(float(median), 3), "p95": round(float(p95), 3)}


def _inserted(turns: Sequence[Turn]) -> dict[str, Any]:
    found = Counter(edit.new for turn in turns for edit in turn.proposal.edits)
    most = [
        {"text": text, "count": count, "share": round(count / found.total(), 4)}
        for text, count in found.most_common(MOST_FREQUENT)
    ]
    return {"sentences": found.total(), "different": len(found), "most_frequent": most}
