"""PARTNER's policy in one file (WWW 2021, section 5): where to change a reply, and what to say there.

The state is the seeker's post and a window of two consecutive sentences of the reply. For each mechanism
the network says where its sentence would go, one of six classes: insert before the first, between, or after
the second sentence; replace the first, replace the second, or neither; and then writes the sentence.

The prompt puts the post first and the mechanism last, so that a post is read once for all windows, and a
window once for all mechanisms and samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ml import lora
from ml.text import sentences

WINDOW = 2
PLACES = ("insert 0", "insert 1", "insert 2", "replace 0", "replace 1", "stop")
STOP = PLACES.index("stop")
TAGS = {"er": "\nCare:", "ip": "\nUnderstand:", "ex": "\nAsk:"}
END = "<|im_end|>"
POST_TOKENS, WINDOW_TOKENS, SENTENCE_TOKENS = 220, 90, 40


@dataclass(frozen=True)
class PolicyConfig:
    """Everything that shapes the policy; stored in the release."""

    rank: int = 32
    alpha: float = 64.0

    def stored(self) -> dict[str, Any]:
        return asdict(self)


def post_text(post: str) -> str:
    return f"<|im_start|>user\n{post.strip()}{END}\n<|im_start|>assistant\n"


def window_text(window: Sequence[str], *, starts: bool, ends: bool) -> str:
    """The window's sentences, one a line; dots say that the reply goes on beyond it."""
    lines = [*([] if starts else ["..."]), *window, *([] if ends else ["..."])]
    return "\n".join(lines) or "(nothing yet)"


@dataclass(frozen=True)
class Window:
    """Two consecutive sentences of a reply, from sentence `first` on."""

    first: int
    text: tuple[str, ...]
    starts: bool
    ends: bool

    @property
    def prompt(self) -> str:
        return window_text(self.text, starts=self.starts, ends=self.ends)


def windows(found: Sequence[str]) -> list[Window]:
    """Every window of a reply, in order; of an empty or one-sentence reply the only one."""
    last = max(0, len(found) - WINDOW)
    return [
        Window(first, tuple(found[first : first + WINDOW]), starts=first == 0, ends=first == last)
        for first in range(last + 1)
    ]


def replied(reply: str) -> list[str]:
    return [one.text for one in sentences(reply)]


class Tokens:
    """The parts of a prompt as token ids. What people write cannot open or close a turn."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.end = int(tokenizer.token_to_id(END))
        self.tags = {mechanism: self.ids(tag) for mechanism, tag in TAGS.items()}

    def ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def post(self, post: str) -> list[int]:
        body = self.tokenizer.decode(self.ids(_disarmed(post))[:POST_TOKENS])
        return self.ids(post_text(body))

    def window(self, window: Window) -> list[int]:
        found = self.ids(_disarmed(window.prompt))
        return found if len(found) <= WINDOW_TOKENS else [*found[: WINDOW_TOKENS // 2], *found[-WINDOW_TOKENS // 2 :]]

    def sentence(self, text: str) -> list[int]:
        return [*self.ids(f" {text}")[:SENTENCE_TOKENS], self.end]

    def text(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()


def _disarmed(text: str) -> str:
    return text.replace("<|", "< |")


class Policy(nn.Module):
    """A causal language model with adapters, and a linear layer over the state after the mechanism's tag."""

    def __init__(self, model: Any, config: PolicyConfig | None = None) -> None:
        super().__init__()
        self.config = config or PolicyConfig()
        self.model = model.requires_grad_(requires_grad=False)
        lora.adapt(self.model.model, rank=self.config.rank, alpha=self.config.alpha)
        self.where = nn.Linear(model.config.hidden_size, len(PLACES))

    def trained(self) -> dict[str, Tensor]:
        return {name: value for name, value in self.named_parameters() if value.requires_grad}

    def load_trained(self, values: dict[str, Tensor]) -> None:
        """Raises ValueError where the values are not exactly those that are trained here."""
        own = self.trained()
        if own.keys() != values.keys() or any(own[name].shape != values[name].shape for name in own):
            raise ValueError("the weights are of another configuration than the release says")
        with torch.no_grad():
            for name, value in values.items():
                own[name].copy_(value)

    def states(self, ids: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """Hidden states `[batch, tokens, width]` under a mask `[batch, 1, tokens, tokens]` of what sees what."""
        hidden: Tensor = self.model.model(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state
        return hidden

    def words(self, states: Tensor) -> Tensor:
        """Logits over the vocabulary."""
        logits: Tensor = self.model.lm_head(states)
        return logits


@dataclass(frozen=True)
class Branch:
    """What follows a shared beginning: a tag, then perhaps a sentence; the place is the tag's, if it has one."""

    mechanism: str
    sentence: tuple[int, ...] = ()
    place: int | None = None


@dataclass(frozen=True)
class Tree:
    """One row: a shared beginning (post and window) and the branches that each see it and themselves alone."""

    trunk: tuple[int, ...]
    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class Packed:
    """Trees as tensors. `tag_ends[i]` and `said[i]` point into the flattened tokens, for branch i.

    `said` holds (position that predicts, token predicted, branch) of every token of a sentence.
    """

    ids: Tensor
    mask: Tensor
    positions: Tensor
    tag_ends: Tensor
    places: Tensor
    predicts: Tensor
    targets: Tensor
    owners: Tensor


def pack(trees: Sequence[Tree], tokens: Tokens) -> Packed:
    """Branches of a tree share its trunk: read once, and seen by each branch as if it stood alone."""
    rows = [_row(tree, tokens) for tree in trees]
    width = max(len(row[0]) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    positions = torch.zeros_like(ids)
    groups = torch.full((len(rows), width), -1)
    tag_ends: list[int] = []
    places: list[int] = []
    predicts: list[int] = []
    targets: list[int] = []
    owners: list[int] = []
    for r, (row, place_in_row, group, marks) in enumerate(rows):
        ids[r, : len(row)] = torch.tensor(row)
        positions[r, : len(row)] = torch.tensor(place_in_row)
        groups[r, : len(row)] = torch.tensor(group)
        for branch, (start, stop) in zip(trees[r].branches, marks, strict=True):
            owner = len(tag_ends)
            tag_ends.append(r * width + start - 1)
            places.append(-100 if branch.place is None else branch.place)
            predicts += range(r * width + start - 1, r * width + stop - 1)
            targets += branch.sentence
            owners += [owner] * len(branch.sentence)
    long = torch.long
    return Packed(
        ids,
        _mask(groups),
        positions,
        *(torch.tensor(values, dtype=long) for values in (tag_ends, places, predicts, targets, owners)),
    )


def _row(tree: Tree, tokens: Tokens) -> tuple[list[int], list[int], list[int], list[tuple[int, int]]]:
    ids, positions = list(tree.trunk), list(range(len(tree.trunk)))
    groups = [0] * len(ids)
    marks = []
    for number, branch in enumerate(tree.branches, start=1):
        added = [*tokens.tags[branch.mechanism], *branch.sentence]
        start = len(ids) + len(tokens.tags[branch.mechanism])
        ids += added
        positions += range(len(tree.trunk), len(tree.trunk) + len(added))
        groups += [number] * len(added)
        marks.append((start, start + len(branch.sentence)))
    return ids, positions, groups, marks


def _mask(groups: Tensor) -> Tensor:
    """Causal, and only within the trunk or the own branch; padding sees the row's first token."""
    width = groups.shape[1]
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    mine, theirs = groups.unsqueeze(2), groups.unsqueeze(1)
    seen = causal & ((theirs == 0) | (mine == theirs))
    seen[:, :, 0] = True
    return seen.unsqueeze(1)
