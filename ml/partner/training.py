"""Trains the policy: the loop of the warm start, its checkpoints, its log; reinforcement builds on the same run."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from tqdm import tqdm

from ml import runtime
from ml.partner import smollm, warmstart
from ml.partner.corpus import Lesson
from ml.partner.policy import Policy, PolicyConfig, Tokens, pack

HELD_OUT = 20  # every twentieth lesson measures and is never trained on


@dataclass(frozen=True)
class WarmStart:
    """How the warm start is done."""

    epochs: int = 4
    size: int = 4
    rate: float = 4e-4
    warm_up: float = 0.05
    decay: float = 0.01
    seed: int = 5


def split(found: Sequence[Lesson]) -> tuple[list[Lesson], list[Lesson]]:
    """(training, held out), by place in the corpus."""
    held = list(found[::HELD_OUT])
    return [one for i, one in enumerate(found) if i % HELD_OUT], held


def load_base(device: torch.device) -> tuple[Any, Tokens]:
    """The packaged language model in float32, to be trained on, and its tokens."""
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM

    folder = smollm.prepared()
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32, attn_implementation="sdpa"
    )
    return model.to(device), Tokens(Tokenizer.from_file(str(folder / "tokenizer.json")))


class Trainable(Protocol):
    """What a session trains: some of its parameters, by their names."""

    def trained(self) -> dict[str, torch.Tensor]: ...

    def load_trained(self, values: dict[str, torch.Tensor]) -> None: ...


Learner = TypeVar("Learner", bound=Trainable)


class Session(Generic[Learner]):
    """One run's network, optimiser and place, stored together."""

    def __init__(
        self, policy: Learner, directory: Path, *, rate: float, decay: float, steps: int, warm_up: float
    ) -> None:
        self.policy, self.directory, self.step, self.steps, self.epoch = policy, directory, 0, steps, 0
        self.memory: list[float] = []  # what else a run must remember, such as its last rewards
        self.warm = max(1, int(warm_up * steps))
        self.optimiser = torch.optim.AdamW(policy.trained().values(), lr=rate, weight_decay=decay)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, self._rate)
        self.fast = runtime.precision() == torch.bfloat16
        directory.mkdir(parents=True, exist_ok=True)

    def _rate(self, step: int) -> float:
        if step < self.warm:
            return (step + 1) / self.warm
        return 0.05 + 0.95 * 0.5 * (
            1 + math.cos(math.pi * min(1.0, (step - self.warm) / max(1, self.steps - self.warm)))
        )

    def descend(self, loss: torch.Tensor) -> None:
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.policy.trained().values(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        self.step += 1

    def log(self, **values: float) -> None:
        path = self.directory / "log.csv"
        new = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["step", *values])
            if new:
                writer.writeheader()
            writer.writerow({"step": self.step} | {key: f"{value:.5f}" for key, value in values.items()})

    def save(self, recipe: object) -> None:
        state = {
            "step": self.step,
            "epoch": self.epoch,
            "memory": self.memory,
            "trained": {name: value.detach() for name, value in self.policy.trained().items()},
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "recipe": str(recipe),
        }
        partial = self.directory / "checkpoint.partial"
        torch.save(state, partial)
        partial.replace(self.directory / "checkpoint")

    def restore(self, recipe: object) -> bool:
        """Go on from the stored state, if there is one. Raises ValueError where another recipe wrote it."""
        path = self.directory / "checkpoint"
        if not path.exists():
            return False
        state = torch.load(path, weights_only=True)
        if state["recipe"] != str(recipe):
            raise ValueError(f"{path} belongs to another recipe: remove it, or choose another run directory")
        self.policy.load_trained(state["trained"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.step, self.epoch, self.memory = state["step"], state["epoch"], state.get("memory", [])
        return True


def warm_start(
    found: Sequence[Lesson],
    recipe: WarmStart,
    config: PolicyConfig,
    directory: Path,
    begin: dict[str, torch.Tensor] | None = None,
    stop: int | None = None,
) -> Policy:
    """The policy after supervised learning on the lessons, from the values `begin`; resumes where it stopped.

    `stop` ends it after that epoch, to be gone on with later.
    """
    torch.manual_seed(recipe.seed)
    model, tokens = load_base(torch.device("cpu"))
    policy = Policy(model, config)
    if begin is not None:
        policy.load_trained(begin)
    training, held = split(found)
    per_epoch = -(-len(training) // recipe.size)
    session = Session(
        policy, directory, rate=recipe.rate, decay=recipe.decay, steps=per_epoch * recipe.epochs, warm_up=recipe.warm_up
    )
    session.restore((recipe, config))
    check = [pack(rows, tokens) for rows in warmstart.epoch(held, tokens, size=recipe.size, seed=recipe.seed)]
    for epoch in range(session.epoch, stop or recipe.epochs):
        batches = warmstart.epoch(training, tokens, size=recipe.size, seed=1000 * recipe.seed + epoch)
        with tqdm(batches, desc=f"warm start {epoch + 1}/{recipe.epochs}", unit="batch", mininterval=10) as bar:
            for rows in bar:
                with torch.autocast("cpu", torch.bfloat16, enabled=session.fast):
                    loss = warmstart.loss(policy, pack(rows, tokens))
                session.descend(loss)
                bar.set_postfix(loss=f"{float(loss.detach()):.3f}", refresh=False)
        with torch.autocast("cpu", torch.bfloat16, enabled=session.fast):
            said, where = warmstart.measured(policy, check)
        session.epoch = epoch + 1
        session.log(held_out_sentences=said, held_out_places=where)
        session.save((recipe, config))
    return policy


def drawn(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - an order, not a secret
