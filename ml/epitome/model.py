"""The EPITOME model in one file: MiniLM with low-rank adapters and three heads that read one pass.

A pair is encoded as `[CLS] post [SEP] response [SEP]`. Each mechanism weighs the response's tokens by
how much they look like its rationale, and reads its level from the [CLS] state, that weighted mean and
the plain mean (EMNLP 2020, section 5, has the two tasks; there each mechanism is a model of its own).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml import runtime
from ml.types import MECHANISMS, Pair

CLS, SEP, PAD = 101, 102, 0
Encoded = tuple[list[int], list[tuple[int, int]]]


@dataclass(frozen=True)
class Config:
    """Everything that shapes the model; stored in the release."""

    backbone: str = runtime.MINILM_PACKAGE
    rank: int = 32
    alpha: float = 32.0
    head_dropout: float = 0.2
    hidden: int = 192
    seeker_tokens: int = 64
    response_tokens: int = 128
    sees_seeker: bool = True

    def stored(self) -> dict[str, Any]:
        return asdict(self)


class Adapter(nn.Module):
    """A frozen linear layer and a trained low-rank change of it (LoRA, arXiv 2106.09685)."""

    def __init__(self, base: nn.Linear, config: Config) -> None:
        super().__init__()
        self.base = base.requires_grad_(requires_grad=False)
        self.down = nn.Parameter(torch.empty(config.rank, base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, config.rank))
        self.scale = config.alpha / config.rank
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, states: Tensor) -> Tensor:
        change = functional.linear(functional.linear(states, self.down), self.up)
        return functional.linear(states, self.base.weight, self.base.bias) + self.scale * change

    def merged(self) -> nn.Linear:
        """One plain layer that computes the same: serving pays nothing for the adapter."""
        self.base.weight.data += self.scale * (self.up @ self.down)
        return self.base


class Head(nn.Module):
    """One mechanism: which tokens carry it, and at which of three levels."""

    def __init__(self, width: int, config: Config) -> None:
        super().__init__()
        self.rationale = nn.Linear(width, 1)
        self.sharpness = nn.Parameter(torch.ones(1))
        self.level = nn.Sequential(
            nn.Dropout(config.head_dropout),
            nn.Linear(3 * width, config.hidden),
            nn.GELU(),
            nn.Dropout(config.head_dropout),
            nn.Linear(config.hidden, 3),
        )

    def forward(self, states: Tensor, response: Tensor) -> tuple[Tensor, Tensor]:
        marks = self.rationale(states).squeeze(-1)
        weights = (marks * self.sharpness).masked_fill(~response, -1e4).softmax(-1)
        plain = response / response.sum(-1, keepdim=True).clamp(min=1)
        pooled = [states[:, 0], _weighted(weights, states), _weighted(plain.to(states.dtype), states)]
        return self.level(torch.cat(pooled, -1)), marks


def _weighted(weights: Tensor, states: Tensor) -> Tensor:
    return (weights.unsqueeze(1) @ states).squeeze(1)


class Epitome(nn.Module):
    """Levels `[batch, mechanism, 3]` and rationale marks `[batch, mechanism, token]` of a batch of pairs."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.encoder = runtime.encoder(config.backbone).requires_grad_(requires_grad=False)
        _adapt(self.encoder, config)
        self.heads = nn.ModuleList(Head(self.encoder.config.hidden_size, config) for _ in MECHANISMS)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        states = self.encoder(
            input_ids=batch.tokens, attention_mask=batch.attended, token_type_ids=batch.segments
        ).last_hidden_state.float()
        outputs = [head(states, batch.response) for head in self.heads]
        levels, marks = zip(*outputs, strict=True)
        return torch.stack(levels, 1), torch.stack(marks, 1)

    def trained(self) -> dict[str, Tensor]:
        """The part that training changed: adapters and heads."""
        return {name: value for name, value in self.named_parameters() if value.requires_grad}

    def load_trained(self, values: dict[str, Tensor]) -> None:
        own = self.trained()
        if own.keys() != values.keys() or any(own[name].shape != values[name].shape for name in own):
            raise runtime.WeightsError("the weights are of another configuration than the release says")
        with torch.no_grad():
            for name, value in values.items():
                own[name].copy_(value)

    def merge(self) -> Epitome:
        """Fold the adapters into the layers that they change."""
        with torch.no_grad():
            for parent, name, layer in _layers(self.encoder, Adapter):
                setattr(parent, name, layer.merged())
        return self.eval()


def _adapt(encoder: nn.Module, config: Config) -> None:
    for parent, name, layer in _layers(encoder, nn.Linear):
        setattr(parent, name, Adapter(layer, config))


def _layers(root: nn.Module, kind: type[nn.Module]) -> list[tuple[nn.Module, str, Any]]:
    return [
        (parent, name, child)
        for parent in list(root.modules())
        if not isinstance(parent, Adapter)
        for name, child in list(parent.named_children())
        if isinstance(child, kind)
    ]


@dataclass(frozen=True)
class Batch:
    """Pairs as padded tensors; `response` marks the response's own tokens."""

    tokens: Tensor
    attended: Tensor
    segments: Tensor
    response: Tensor

    def to(self, device: torch.device) -> Batch:
        parts = (self.tokens, self.attended, self.segments, self.response)
        return Batch(*(part.to(device) for part in parts))


@dataclass(frozen=True)
class Encoding:
    """One pair as token ids; `offsets[i]` are the characters of the i-th response token."""

    seeker: list[int]
    response: list[int]
    offsets: list[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.seeker) + len(self.response) + 3


def encode(pairs: Sequence[Pair], config: Config) -> list[Encoding]:
    seekers = _tokens([pair.seeker if config.sees_seeker else "" for pair in pairs], config)
    responses = _tokens([pair.response for pair in pairs], config)
    encodings = []
    for (seeker, _), (response, offsets) in zip(seekers, responses, strict=True):
        kept = ends(len(response), config.response_tokens)
        encodings.append(
            Encoding(
                [seeker[i] for i in ends(len(seeker), config.seeker_tokens)],
                [response[i] for i in kept],
                [offsets[i] for i in kept],
            )
        )
    return encodings


def _tokens(texts: Iterable[str], config: Config) -> list[Encoded]:
    tokenizer = runtime.tokenizer(config.backbone)
    found = tokenizer.encode_batch([_printable(text) for text in texts], add_special_tokens=False)
    return [(one.ids, one.offsets) for one in found]


def _printable(text: str) -> str:
    """Lone surrogates, which no tokenizer reads, each by one character, so that offsets stay true."""
    return text.encode("utf-8", "replace").decode("utf-8")


def ends(length: int, limit: int) -> list[int]:
    """Which of `length` tokens to keep: empathy stands at the start and the end of a long text."""
    if length <= limit:
        return list(range(length))
    tail = limit // 3
    return [*range(limit - tail), *range(length - tail, length)]


def collate(encodings: Sequence[Encoding]) -> Batch:
    width = max(len(one) for one in encodings)
    tokens = torch.full((len(encodings), width), PAD)
    attended, segments = torch.zeros_like(tokens), torch.zeros_like(tokens)
    response = torch.zeros(len(encodings), width, dtype=torch.bool)
    for row, one in enumerate(encodings):
        ids = [CLS, *one.seeker, SEP, *one.response, SEP]
        start = len(one.seeker) + 2
        tokens[row, : len(ids)] = torch.tensor(ids)
        attended[row, : len(ids)] = 1
        segments[row, start : len(ids)] = 1
        response[row, start : start + len(one.response)] = True
    return Batch(tokens, attended, segments, response)
