"""Linear layers whose weights are laid out once for oneDNN's float32 products.

The default products take a slow path on some CPUs (pytorch/builder#504): there these are nearly twice as fast, and
the same to the fifth decimal. What torch offers for it (`torch.utils.mkldnn`) is bound to its deprecated scripting.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ml import lora

PRODUCT: Any = getattr(torch._C._nn, "mkldnn_linear", None)


class Packed(nn.Module):
    """One linear layer, for inference in float32 on a CPU."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.weight = base.weight.detach().to_mkldnn()
        self.bias = None if base.bias is None else base.bias.detach().to_mkldnn()

    def forward(self, states: Tensor) -> Tensor:
        product: Tensor = PRODUCT(states.to_mkldnn(), self.weight, self.bias).to_dense()
        return product


def pack(root: nn.Module) -> None:
    """Pack every linear layer inside `root`, where this installation can."""
    if PRODUCT is not None and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        for parent, name, layer in lora.layers(root, nn.Linear):
            setattr(parent, name, Packed(layer))
