"""Adapters change only what they are put on, and fold away without changing an answer."""

from __future__ import annotations

from typing import Any

import pytest


def stack(layers: int = 3) -> Any:
    import torch
    from torch import nn

    torch.manual_seed(1)
    return nn.ModuleDict(
        {
            "layer": nn.ModuleList(nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 6)) for _ in range(layers)),
            "head": nn.Linear(6, 2),
        }
    )


def answer(model: Any, states: Any) -> Any:
    for one in model["layer"]:
        states = one(states)
    return model["head"](states)


def trained(model: Any) -> list[str]:
    return [name for name, value in model.named_parameters() if value.requires_grad]


def moved(model: Any) -> Any:
    """The adapters as if they had been trained."""
    import torch

    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith(".up"):
                value.normal_(std=0.5)
    return model


def test_a_new_adapter_changes_no_output() -> None:
    import torch

    from ml.lora import adapt

    model, states = stack(), torch.randn(4, 6)
    before = answer(model, states)
    adapt(model, rank=2, alpha=4.0)
    assert torch.equal(answer(model, states), before)


def test_merging_changes_no_output_and_leaves_plain_layers() -> None:
    import torch
    from torch import nn

    from ml.lora import Adapter, adapt, merge

    model, states = stack(), torch.randn(4, 6)
    plain = answer(model, states)
    adapt(model, rank=2, alpha=4.0)
    before = answer(moved(model), states)
    merge(model)
    assert torch.allclose(answer(model, states), before, atol=1e-5)
    assert not torch.allclose(before, plain, atol=1e-2)
    kinds = [type(one) for one in model.modules()]
    assert Adapter not in kinds
    assert kinds.count(nn.Linear) == 7


def test_only_adapters_are_trained() -> None:
    from ml.lora import adapt

    model = stack(1)
    adapt(model, rank=2, alpha=4.0)
    assert sorted(trained(model)) == sorted(
        f"{layer}.{part}" for layer in ("layer.0.0", "layer.0.2", "head") for part in ("down", "up")
    )


@pytest.mark.parametrize(("first", "adapted"), [(0, {0, 1, 2}), (2, {2}), (3, set())])
def test_layers_below_the_first_are_left_alone(first: int, adapted: set[int]) -> None:
    from ml.lora import Adapter, adapt

    model = stack()
    adapt(model, rank=2, alpha=4.0, first_layer=first)
    assert {i for i, one in enumerate(model["layer"]) if isinstance(one[0], Adapter)} == adapted
