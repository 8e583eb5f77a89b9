"""What a post is about: which of the bank's themes it has, and which of them are its heart.

One pass of an encoder with low-rank adapters; each theme weighs the tokens by a query of its own and reads its two
answers from what it has picked out (label-wise attention: Mullenbach and others, NAACL 2018, section 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml import backbones, lora, runtime
from ml.epitome.model import ends
from ml.releases import WeightsError

SHARP = 12.0  # how strongly likeness to a theme's own words speaks for it before any training
BOLD = 6.0  # how much faster the answers learn than the encoder's adapters
BATCH = 32


@dataclass(frozen=True)
class Shape:
    """Everything that shapes the network; stored in the release."""

    backbone: str = backbones.MPNET
    layers: int = 8  # of the encoder that are kept, from below; 0 for all
    rank: int = 8
    alpha: float = 16.0
    tokens: int = 256  # of a post that are read: its beginning and its end
    dropout: float = 0.2

    def stored(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Sight:
    """One theme and one post, as logits: whether the post has it, and whether its writer most wants it understood."""

    theme: str
    has: float
    heart: float


class Insight(nn.Module):
    """Logits `[posts, themes, 2]` of having a theme, and of its being the heart."""

    def __init__(self, shape: Shape, themes: Sequence[str]) -> None:
        super().__init__()
        self.shape, self.themes = shape, tuple(themes)
        self.backbone = backbones.backbone(shape.backbone)
        self.encoder = runtime.encoder(shape.backbone).requires_grad_(requires_grad=False)
        if shape.layers:
            self.encoder.encoder.layer = self.encoder.encoder.layer[: shape.layers]
        lora.adapt(self.encoder, rank=shape.rank, alpha=shape.alpha)
        width = self.encoder.config.hidden_size
        self.queries = nn.Parameter(torch.zeros(len(themes), width))
        self.answers = nn.Parameter(torch.zeros(2, len(themes), width))
        self.whole = nn.Parameter(torch.zeros(2, len(themes), width))
        self.bias = nn.Parameter(torch.zeros(len(themes), 2))
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, tokens: Tensor, seen: Tensor) -> Tensor:
        states = self.encoder(input_ids=tokens, attention_mask=seen).last_hidden_state.float()
        hidden = (seen == 0)[:, None, :]
        weights = (BOLD * self.queries @ states.transpose(1, 2)).masked_fill(hidden, -1e4).softmax(-1)
        heard = self.dropout(weights @ states)
        mean = self.dropout((states * seen[:, :, None]).sum(1) / seen.sum(1, keepdim=True))
        own = torch.einsum("bth,kth->btk", heard, self.answers)
        return BOLD * (own + torch.einsum("bh,kth->btk", mean, self.whole) + self.bias)

    def begin(self, words: Sequence[str], shares: Tensor) -> None:
        """Let each theme first look for what resembles its own words (one text a theme), as often as `shares` say."""
        with torch.no_grad():
            found = torch.stack([self.encoder(*self.batch([text])).last_hidden_state[0].mean(0) for text in words])
            found = functional.normalize(found - found.mean(0), dim=-1) * SHARP / math.sqrt(found.shape[1]) / BOLD
            self.queries.copy_(found)
            self.answers.copy_(found.expand_as(self.answers))
            self.bias.copy_(torch.logit(shares, eps=1e-3) / BOLD)

    def trained(self) -> dict[str, Tensor]:
        """The part that training changes."""
        return {name: value for name, value in self.named_parameters() if value.requires_grad}

    def load_trained(self, values: dict[str, Tensor]) -> None:
        own = self.trained()
        if own.keys() != values.keys() or any(own[name].shape != values[name].shape for name in own):
            raise WeightsError("the weights are of other themes or of another shape than the release says")
        with torch.no_grad():
            for name, value in values.items():
                own[name].copy_(value)

    def batch(self, posts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token ids and the mask of what is seen, `[posts, tokens]`."""
        rows = [self._ids(post) for post in posts]
        width = max(map(len, rows))
        tokens = torch.full((len(rows), width), self.backbone.pad)
        seen = torch.zeros_like(tokens)
        for at, ids in enumerate(rows):
            tokens[at, : len(ids)], seen[at, : len(ids)] = torch.tensor(ids), 1
        return tokens, seen

    def _ids(self, post: str) -> list[int]:
        plain = post.encode("utf-8", "replace").decode("utf-8")
        ids = runtime.tokenizer(self.shape.backbone).encode(plain, add_special_tokens=False).ids
        return [self.backbone.start, *(ids[i] for i in ends(len(ids), self.shape.tokens)), self.backbone.end]

    @torch.inference_mode()
    def logits(self, posts: Sequence[str]) -> Tensor:
        """`[posts, themes, 2]`, in batches of like lengths."""
        self.eval()
        order = sorted(range(len(posts)), key=lambda i: len(posts[i]))
        found = torch.zeros(len(posts), len(self.themes), 2)
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            with torch.autocast("cpu", torch.bfloat16, enabled=runtime.precision() == torch.bfloat16):
                found[chosen] = self(*self.batch([posts[i] for i in chosen])).float()
        return found

    def sights(self, posts: Sequence[str]) -> list[list[Sight]]:
        """How each theme stands in each post."""
        logits = self.logits(posts).tolist()
        return [[Sight(name, *pair) for name, pair in zip(self.themes, one, strict=True)] for one in logits]
