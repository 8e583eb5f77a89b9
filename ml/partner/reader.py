"""A strict reader, learnt: the chance that one sentence may be shown under one post as it is.

The labels are verdicts on the policy's own sentences (`judging/labels.jsonl`, by `judging/criteria.md`), so what is
learnt is how *this* policy goes wrong: it mixes up who did what, breaks off, or says what stands under any post.
A language model reads the post once and each sentence behind it; a linear layer over the last state gives the verdict.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from ml import lora, runtime
from ml.partner.policy import Branch, Packed, Tokens, Tree, pack
from ml.types import MECHANISMS

LABELS = Path(__file__).parent / "judging" / "labels.jsonl"
RANK, ALPHA = 8, 16.0
MOST_BRANCHES = 12  # sentences read beside each other behind one post


@dataclass(frozen=True)
class Judged:
    """One sentence under one post, and whether a participant may see it as it is."""

    post: str
    mechanism: str
    text: str
    shown: bool


class LabelError(ValueError):
    """The labels cannot be read; says where."""


def labels(path: Path = LABELS) -> list[Judged]:
    """Every verdict of the file: JSON lines of `post`, `mechanism`, `text`, `shown`. Raises LabelError."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            one = Judged(str(row["post"]), str(row["mechanism"]), str(row["text"]), bool(row["shown"]))
        except (ValueError, KeyError, TypeError) as error:
            raise LabelError(f"{path.name}:{number}: {error!r}") from error
        if one.mechanism not in MECHANISMS:
            raise LabelError(f"{path.name}:{number}: no mechanism {one.mechanism!r}")
        found.append(one)
    return found


class Reader(lora.Adapted):
    """The base model with small adapters of its own, and the verdict's layer."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model.requires_grad_(requires_grad=False)
        lora.adapt(self.model.model, rank=RANK, alpha=ALPHA)
        self.verdict = nn.Linear(model.config.hidden_size, 1)

    def forward(self, packed: Packed) -> Tensor:
        """Logits `[branches]` over the state at each sentence's end."""
        hidden = self.model.model(
            input_ids=packed.ids, attention_mask=packed.mask, position_ids=packed.positions, use_cache=False
        ).last_hidden_state.flatten(0, 1)
        logits: Tensor = self.verdict(hidden[ends(packed)].float()).squeeze(-1)
        return logits


def ends(packed: Packed) -> Tensor:
    """Of each branch the place of its last token in the flattened batch."""
    last = torch.zeros_like(packed.tag_ends)
    return last.scatter_reduce(0, packed.owners, packed.predicts + 1, "amax", include_self=True)


def trees(found: Iterable[Judged], tokens: Tokens) -> list[tuple[Tree, list[Judged]]]:
    """The sentences of each post as branches of one tree, or of several where there are many."""
    posts: dict[str, list[Judged]] = {}
    for one in found:
        posts.setdefault(one.post, []).append(one)
    parts = [mine[i : i + MOST_BRANCHES] for mine in posts.values() for i in range(0, len(mine), MOST_BRANCHES)]
    return [
        (Tree(tuple(tokens.post(p[0].post)), tuple(Branch(j.mechanism, tuple(tokens.sentence(j.text))) for j in p)), p)
        for p in parts
    ]


def batches(
    found: Sequence[Judged], tokens: Tokens, *, size: int, seed: int | None = None
) -> list[tuple[Packed, Tensor]]:
    """Trees of like length together, with the verdicts of their branches; shuffled where there is a seed."""
    rows = sorted(trees(found, tokens), key=lambda one: len(one[0].trunk))
    parts = [rows[i : i + size] for i in range(0, len(rows), size)]
    if seed is not None:
        random.Random(seed).shuffle(parts)  # noqa: S311 - an order, not a secret
    return [
        (pack([tree for tree, _ in part], tokens), torch.tensor([float(j.shown) for _, js in part for j in js]))
        for part in parts
    ]


def loss(reader: Reader, packed: Packed, shown: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(reader(packed), shown)


@torch.inference_mode()
def chances(reader: Reader, found: Sequence[Judged], tokens: Tokens) -> list[float]:
    """The chance of each of the sentences, in the order given."""
    known: dict[tuple[str, str, str], float] = {}
    for tree, mine in trees(found, tokens):
        for one, logit in zip(mine, reader(pack([tree], tokens)).tolist(), strict=True):
            known[one.post, one.mechanism, one.text] = float(torch.tensor(logit).sigmoid())
    return [known[one.post, one.mechanism, one.text] for one in found]


@dataclass(frozen=True)
class Lessons:
    """How the reader learns."""

    epochs: int = 3
    size: int = 3
    rate: float = 4e-4
    folds: int = 4
    seed: int = 6


def train(model: Any, found: Sequence[Judged], tokens: Tokens, recipe: Lessons) -> Reader:
    """A reader of these labels; `model` is adapted in place."""
    torch.manual_seed(recipe.seed)
    reader = Reader(model)
    plan = [batches(found, tokens, size=recipe.size, seed=recipe.seed + epoch) for epoch in range(recipe.epochs)]
    optimiser = torch.optim.AdamW(reader.trained().values(), lr=recipe.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, total_steps=sum(map(len, plan)) + 1)
    fast = runtime.precision() == torch.bfloat16
    for packed, shown in tqdm([row for epoch in plan for row in epoch], desc="reader", unit="batch", mininterval=10):
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            value = loss(reader, packed, shown)
        optimiser.zero_grad()
        torch.autograd.backward(value)
        torch.nn.utils.clip_grad_norm_(reader.trained().values(), 1.0)
        optimiser.step()
        schedule.step()
    return reader.eval()


def fold(post: str, folds: int) -> int:
    """The fold of a post; all sentences under it are in the same."""
    return int(hashlib.sha256(post.encode()).hexdigest(), 16) % folds


def quality(found: Sequence[Judged], chance: Sequence[float]) -> dict[str, float]:
    """Area under the ROC curve, the share shown, and among each post's likeliest sentence of a mechanism."""
    good = [c for one, c in zip(found, chance, strict=True) if one.shown]
    bad = [c for one, c in zip(found, chance, strict=True) if not one.shown]
    wins = sum((g > b) + 0.5 * (g == b) for g in good for b in bad)
    best: dict[tuple[str, str], tuple[float, bool]] = {}
    for one, c in zip(found, chance, strict=True):
        key = (one.post, one.mechanism)
        best[key] = max(best.get(key, (-1.0, False)), (c, one.shown))
    return {
        "n": len(found),
        "auc": wins / max(1, len(good) * len(bad)),
        "shown": len(good) / max(1, len(found)),
        "shown_of_likeliest": sum(shown for _, shown in best.values()) / max(1, len(best)),
    }
