"""The EPITOME model in one file: an encoder with low-rank adapters and three heads that read one pass.

A pair is encoded as `[CLS] post [SEP] response [SEP]`, in the special tokens of the backbone. Each mechanism
weighs the response's tokens by how much they look like its rationale, and reads its level from the [CLS]
state, that weighted mean and the plain mean (EMNLP 2020, section 5, has the two tasks; there each mechanism
is a model of its own).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ml import backbones, lora, packed, runtime
from ml.types import MECHANISMS, Pair

Encoded = tuple[list[int], list[tuple[int, int]]]


@dataclass(frozen=True)
class Config:
    """Everything that shapes the model; stored in the release."""

    architecture: Literal["pair", "paper"] = "pair"
    backbone: str = backbones.MINILM
    layers: int = 0  # how many of the backbone's layers are kept, from below; 0 for all
    first_layer: int = 0  # layers below it are left as they are
    rank: int = 32
    alpha: float = 32.0
    head_dropout: float = 0.2
    hidden: int = 192
    seeker_tokens: int = 64
    response_tokens: int = 128
    sees_seeker: bool = True

    def stored(self) -> dict[str, Any]:
        return asdict(self)


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


class Network(nn.Module):
    """Levels `[batch, mechanism, 3]` and rationale marks `[batch, mechanism, token]` of a batch of pairs."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.backbone = backbones.backbone(config.backbone)

    def trained(self) -> dict[str, Tensor]:
        """The part that training changes."""
        return {name: value for name, value in self.named_parameters() if value.requires_grad}

    def load_trained(self, values: dict[str, Tensor]) -> None:
        own = self.trained()
        if own.keys() != values.keys() or any(own[name].shape != values[name].shape for name in own):
            raise runtime.WeightsError("the weights are of another configuration than the release says")
        with torch.no_grad():
            for name, value in values.items():
                own[name].copy_(value)

    def merge(self) -> Network:
        """Ready to serve: what can be folded into plain layers is."""
        return self.eval()

    def quickened(self) -> Network:
        """What computes the same in bfloat16, as far as there is such a thing: here not."""
        return self

    def prepacked(self) -> Network:
        """The same, its weights laid out for the CPU's fastest products, as far as that is worth while: here not."""
        return self


class Epitome(Network):
    """One pass for all mechanisms: an adapted encoder and three heads."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.encoder = runtime.encoder(config.backbone).requires_grad_(requires_grad=False)
        if config.layers:
            self.encoder.encoder.layer = self.encoder.encoder.layer[: config.layers]
        lora.adapt(self.encoder, rank=config.rank, alpha=config.alpha, first_layer=config.first_layer)
        self.heads = nn.ModuleList(Head(self.encoder.config.hidden_size, config) for _ in MECHANISMS)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        segments = {"token_type_ids": batch.segments} if self.backbone.segments else {}
        states = self.encoder(
            input_ids=batch.tokens, attention_mask=batch.attended, **segments
        ).last_hidden_state.float()
        outputs = [head(states, batch.response) for head in self.heads]
        levels, marks = zip(*outputs, strict=True)
        return torch.stack(levels, 1), torch.stack(marks, 1)

    def merge(self) -> Epitome:
        """Fold the adapters into the layers that they change."""
        lora.merge(self.encoder)
        return self.eval()

    def quickened(self) -> Epitome:
        """A copy whose encoder is in bfloat16, which needs no casts on the way; the heads stay in float32."""
        found = copy.deepcopy(self)
        found.encoder.to(torch.bfloat16)
        return found

    def prepacked(self) -> Epitome:
        if next(self.parameters()).device.type == "cpu":
            packed.pack(self.encoder)
        return self


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


def collate(encodings: Sequence[Encoding], backbone: backbones.Backbone) -> Batch:
    rows = [_row(one, backbone) for one in encodings]
    width = max(len(ids) for ids, _ in rows)
    tokens = torch.full((len(rows), width), backbone.pad)
    attended, segments = torch.zeros_like(tokens), torch.zeros_like(tokens)
    response = torch.zeros(len(rows), width, dtype=torch.bool)
    for row, ((ids, start), one) in enumerate(zip(rows, encodings, strict=True)):
        tokens[row, : len(ids)] = torch.tensor(ids)
        attended[row, : len(ids)] = 1
        segments[row, start : len(ids)] = 1
        response[row, start : start + len(one.response)] = True
    return Batch(tokens, attended, segments, response)


def _row(one: Encoding, backbone: backbones.Backbone) -> tuple[list[int], int]:
    """The ids of a pair, and where its response begins."""
    first = [backbone.start, *one.seeker, *[backbone.end] * backbone.breaks]
    return [*first, *one.response, backbone.end], len(first)
