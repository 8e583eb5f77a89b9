"""Trains one EPITOME model on labelled pairs: the loop, its losses, and its checkpoints."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from ml import backbones, runtime
from ml.epitome.architectures import build
from ml.epitome.data import Example
from ml.epitome.generic import added
from ml.epitome.model import Batch, Config, Encoding, Network, collate, encode
from ml.types import MECHANISMS


@dataclass(frozen=True)
class Recipe:
    """One way to train; `share` is the part of all seekers (see `data.position`) that it may see."""

    config: Config = field(default_factory=Config)
    share: tuple[float, float] = (0.0, 1.0)
    epochs: int = 8
    batch: int = 16
    rate: float = 5e-4
    decay: float = 0.01
    warm_up: float = 0.1
    class_power: float = 0.5
    rationale_weight: float = 0.5
    averaging: float = 0.99
    generic: float = 0.0  # authored examples of the rarest levels, as a share of the labelled ones
    seed: int = 12

    def stored(self) -> dict[str, Any]:
        return asdict(self)


RECIPES = {
    "outcome": Recipe(
        share=(0.0, 0.72),
        config=Config(
            backbone=backbones.MPNET,
            layers=8,
            first_layer=2,
            rank=16,
            alpha=32.0,
            seeker_tokens=48,
            response_tokens=112,
        ),
        rate=3e-4,
        epochs=4,
        class_power=0.65,
        generic=0.03,
    ),
    "reward": Recipe(share=(0.72, 0.92), config=Config(rank=16, alpha=16.0), epochs=12, generic=0.03, seed=7),
    "paper": Recipe(config=Config(architecture="paper", response_tokens=64), rate=2e-5, epochs=4, batch=32),
}


@dataclass(frozen=True)
class Target:
    """An encoded pair with its labels; `marks[m]` says which response tokens carry mechanism m."""

    encoding: Encoding
    levels: tuple[int, int, int]
    marks: list[list[bool]]


def targets(examples: Sequence[Example], config: Config) -> list[Target]:
    encodings = encode([example.pair for example in examples], config)
    both = zip(examples, encodings, strict=True)
    return [Target(code, one.levels, _marks(one, code)) for one, code in both]


def _marks(example: Example, encoding: Encoding) -> list[list[bool]]:
    marked = []
    for mechanism in range(len(MECHANISMS)):
        spans = example.spans(mechanism)
        marked.append([any(a < stop and start < b for a, b in spans) for start, stop in encoding.offsets])
    return marked


def batches(items: Sequence[Target], size: int, seed: int) -> Iterator[list[Target]]:
    """Random batches of like lengths: shuffled, sorted within pools of eight batches, shuffled again."""
    draw = random.Random(seed)  # noqa: S311 - an order, not a secret
    shuffled = draw.sample(list(items), len(items))
    pools = [shuffled[i : i + 8 * size] for i in range(0, len(shuffled), 8 * size)]
    ordered = [item for pool in pools for item in sorted(pool, key=lambda one: len(one.encoding))]
    found = [ordered[i : i + size] for i in range(0, len(ordered), size)]
    return iter(draw.sample(found, len(found)))


class Loss:
    """Class-balanced cross-entropy of the levels and binary cross-entropy of the rationale marks."""

    def __init__(self, items: Sequence[Target], recipe: Recipe, device: torch.device) -> None:
        self.recipe = recipe
        counts = np.stack([np.bincount([item.levels[m] for item in items], minlength=3) for m in range(3)])
        weights = (1 / np.maximum(counts, 1)) ** recipe.class_power
        weights /= (weights * counts).sum(1, keepdims=True) / counts.sum(1, keepdims=True)
        self.weights = torch.tensor(weights, dtype=torch.float32, device=device)

    def __call__(self, outputs: tuple[Tensor, Tensor], items: Sequence[Target], batch: Batch) -> Tensor:
        logits, marks = outputs
        levels = torch.tensor([item.levels for item in items], device=logits.device)
        each = [
            functional.cross_entropy(logits[:, m], levels[:, m], weight=self.weights[m], reduction="none")
            for m in range(len(MECHANISMS))
        ]
        return torch.stack(each).mean(1).sum() + self.recipe.rationale_weight * self._rationale(marks, items, batch)

    @staticmethod
    def _rationale(marks: Tensor, items: Sequence[Target], batch: Batch) -> Tensor:
        wanted = torch.zeros_like(marks)
        wanted[batch.response.unsqueeze(1).expand_as(marks)] = torch.tensor(
            [float(x) for item in items for one in item.marks for x in one], device=marks.device
        )
        each = functional.binary_cross_entropy_with_logits(marks, wanted, reduction="none")
        seen = batch.response.unsqueeze(1)
        return ((each * seen).sum(-1) / seen.sum(-1).clamp(min=1)).mean(0).sum()


class Trainer:
    """One run: the model, its optimiser, the running average of its weights, and where it stands."""

    def __init__(self, examples: Sequence[Example], recipe: Recipe, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.epoch = recipe, device, 0
        self.fast = device.type == "cuda" or runtime.precision() == torch.bfloat16
        extra = added(examples, recipe.generic, recipe.seed)
        self.items = targets([*examples, *extra], recipe.config)
        self.model = build(recipe.config).to(device)
        self.loss = Loss(self.items, recipe, device)
        self.average = {name: value.detach().clone() for name, value in self.model.trained().items()}
        self.optimiser = torch.optim.AdamW(self.model.trained().values(), lr=recipe.rate, weight_decay=recipe.decay)
        self.steps = -(-len(self.items) // recipe.batch) * recipe.epochs
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, self._rate)

    def _rate(self, step: int) -> float:
        warm = max(1, int(self.recipe.warm_up * self.steps))
        return step / warm if step < warm else max(0.0, (self.steps - step) / (self.steps - warm))

    def run(self, checkpoint: Path | None = None, label: str = "train", stop: int | None = None) -> Network:
        """Train to the end of the recipe, or to the end of epoch `stop`; returns the averaged model."""
        if checkpoint and checkpoint.exists():
            self.restore(checkpoint)
        while self.epoch < min(self.recipe.epochs, stop or self.recipe.epochs):
            self.one_epoch(f"{label} epoch {self.epoch + 1}/{self.recipe.epochs}")
            if checkpoint:
                self.save(checkpoint)
        self.model.load_trained(self.average)
        return self.model

    def one_epoch(self, label: str) -> None:
        torch.manual_seed(1000 * self.recipe.seed + self.epoch)
        self.model.train()
        self.epoch += 1
        chosen = list(batches(self.items, self.recipe.batch, self.recipe.seed + self.epoch))
        with tqdm(chosen, desc=label, unit="batch", mininterval=5) as bar:
            for items in bar:
                bar.set_postfix(loss=f"{self.step(items):.3f}", refresh=False)

    def step(self, items: list[Target]) -> float:
        batch = collate([item.encoding for item in items], self.model.backbone).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.fast):
            logits, marks = self.model(batch)
        loss = self.loss((logits.float(), marks.float()), items, batch)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.model.trained().values(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        self._follow()
        return float(loss.detach())

    def _follow(self) -> None:
        with torch.no_grad():
            for name, value in self.model.trained().items():
                self.average[name].lerp_(value, 1 - self.recipe.averaging)

    def save(self, path: Path) -> None:
        state = {
            "epoch": self.epoch,
            "trained": {name: value.detach() for name, value in self.model.trained().items()},
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "recipe": str(self.recipe),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def restore(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["recipe"] != str(self.recipe):
            raise ValueError(f"{path} belongs to another recipe: remove it, or choose another run directory")
        self.model.load_trained(state["trained"])
        self.average = state["average"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.epoch = state["epoch"]
