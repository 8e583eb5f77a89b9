"""Low-rank adapters (LoRA, arXiv 2106.09685): the small trained change of a large frozen network."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

LAYER = re.compile(r"\blayers?\.(\d+)\.")


class Adapter(nn.Module):
    """A frozen linear layer and a trained low-rank change of it."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base = base.requires_grad_(requires_grad=False)
        self.down = nn.Parameter(torch.empty(rank, base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))
        self.scale = alpha / rank
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, states: Tensor) -> Tensor:
        change = functional.linear(functional.linear(states, self.down), self.up)
        return functional.linear(states, self.base.weight, self.base.bias) + self.scale * change

    def merged(self) -> nn.Linear:
        """One plain layer that computes the same: serving pays nothing for the adapter."""
        self.base.weight.data += (self.scale * (self.up @ self.down)).to(self.base.weight.dtype)
        return self.base


def adapt(root: nn.Module, *, rank: int, alpha: float, first_layer: int = 0) -> None:
    """Put an adapter on every linear layer inside `root` from its layer `first_layer` upwards."""
    for parent, name, layer in layers(root, nn.Linear, first_layer):
        setattr(parent, name, Adapter(layer, rank, alpha))


def merge(root: nn.Module) -> None:
    """Fold every adapter inside `root` into the layer that it changes."""
    with torch.no_grad():
        for parent, name, layer in layers(root, Adapter):
            setattr(parent, name, layer.merged())


def layers(root: nn.Module, kind: type[nn.Module], first: int = 0) -> list[tuple[nn.Module, str, Any]]:
    """(parent, name, layer) of every layer of a kind, outside adapters, from the layer `first` upwards."""
    return [
        (parent, name, child)
        for path, parent in list(root.named_modules())
        if not isinstance(parent, Adapter) and _depth(f"{path}.") >= first
        for name, child in list(parent.named_children())
        if isinstance(child, kind)
    ]


def _depth(path: str) -> int:
    found = LAYER.search(path)
    return int(found[1]) if found else 0
