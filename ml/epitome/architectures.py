"""The paper's own model, and which network a configuration asks for.

EMNLP 2020, section 5: a seeker encoder and a response encoder for each mechanism; single-head attention
of the response over the seeker's post, with a residual; a three-way head on the first state and a two-way
head on every token. As in the released code the seeker encoder stays as it is, and padding is left out of the
attention, which that code forgot.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ml import runtime
from ml.epitome.model import Batch, Config, Epitome, Network
from ml.types import MECHANISMS

DROPOUT = 0.1


def build(config: Config) -> Network:
    return Paper(config) if config.architecture == "paper" else Epitome(config)


class BiEncoder(nn.Module):
    """One mechanism: levels `[batch, 3]` and marks `[batch, tokens]` of the response."""

    def __init__(self, seeker: Any, response: Any) -> None:
        super().__init__()
        width = response.config.hidden_size
        self.seeker = seeker.requires_grad_(requires_grad=False)
        self.response = response
        self.attention = nn.MultiheadAttention(width, 1, batch_first=True)
        self.level = nn.Sequential(
            nn.Dropout(DROPOUT), nn.Linear(width, width), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(width, 3)
        )
        self.mark = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(width, 1))

    def forward(self, seeker: Tensor, seeker_seen: Tensor, response: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        said = self.seeker(input_ids=seeker, attention_mask=seeker_seen).last_hidden_state
        states = self.response(input_ids=response, attention_mask=seen).last_hidden_state
        heard, _ = self.attention(states, said, said, key_padding_mask=seeker_seen == 0, need_weights=False)
        states = states + heard
        return self.level(states[:, 0]), self.mark(states).squeeze(-1)


class Paper(Network):
    """Three such models, trained side by side."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        encoders = [(runtime.encoder(config.backbone), runtime.encoder(config.backbone)) for _ in MECHANISMS]
        self.mechanisms = nn.ModuleList(BiEncoder(*pair) for pair in encoders)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        seeker, response = self._sides(batch)
        outputs = [one(*seeker, *response) for one in self.mechanisms]
        levels, marks = zip(*outputs, strict=True)
        joint = torch.zeros(len(batch.tokens), len(MECHANISMS), batch.tokens.shape[1], device=batch.tokens.device)
        inner = response[1].bool()
        inner[:, 0] = False
        inner[torch.arange(len(inner)), response[1].sum(-1) - 1] = False
        for m, found in enumerate(marks):
            joint[:, m][batch.response] = found[inner].float()
        return torch.stack(levels, 1), joint

    def _sides(self, batch: Batch) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Post and response, each with its own special tokens, padded, and their attention masks."""
        start, end = (torch.tensor([i], device=batch.tokens.device) for i in (self.backbone.start, self.backbone.end))
        seekers, responses = [], []
        for tokens, attended, response in zip(batch.tokens, batch.attended, batch.response, strict=True):
            own = int(attended.sum() - response.sum()) - self.backbone.breaks - 2
            seekers.append(torch.cat([start, tokens[1 : 1 + own], end]))
            responses.append(torch.cat([start, tokens[response], end]))
        return self._padded(seekers), self._padded(responses)

    def _padded(self, rows: list[Tensor]) -> tuple[Tensor, Tensor]:
        seen = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
        return pad_sequence(rows, batch_first=True, padding_value=self.backbone.pad), seen
