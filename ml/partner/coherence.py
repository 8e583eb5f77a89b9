"""How well two sentences go together in one reply: PARTNER's coherence reward (WWW 2021, section 5.2).

As in the paper a classifier learns pairs of one reply against pairs from replies to different posts; here over
frozen MiniLM sentence embeddings, so that the trained part is small.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from ml import backbones, runtime
from ml.releases import WeightsError, folder, manifest, verified

HIDDEN = 128
WIDTH = 384
BATCH = 64


class Embedder:
    """Sentences as unit vectors `[n, 384]`: the mean of MiniLM's states."""

    def __init__(self) -> None:
        self.encoder = runtime.encoder(backbones.MINILM).eval()
        self.tokenizer = runtime.tokenizer(backbones.MINILM)
        self.fast = runtime.precision() == torch.bfloat16

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> Tensor:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found = torch.zeros(len(texts), WIDTH)
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            found[chosen] = self._batch([texts[i] for i in chosen])
        return functional.normalize(found, dim=-1)

    def _batch(self, texts: Sequence[str]) -> Tensor:
        ids = [one.ids[:128] for one in self.tokenizer.encode_batch(list(texts))]
        width = max(map(len, ids))
        tokens, seen = torch.zeros(len(ids), width, dtype=torch.long), torch.zeros(len(ids), width)
        for row, one in enumerate(ids):
            tokens[row, : len(one)], seen[row, : len(one)] = torch.tensor(one), 1
        with torch.autocast("cpu", torch.bfloat16, enabled=self.fast):
            states = self.encoder(input_ids=tokens, attention_mask=seen).last_hidden_state
        mean: Tensor = (states.float() * seen.unsqueeze(-1)).sum(1) / seen.sum(1, keepdim=True)
        return mean


class Coherence(nn.Module):
    """The chance that two embedded sentences stand in one reply, `[n]`."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4 * WIDTH, HIDDEN), nn.GELU(), nn.Dropout(0.3), nn.Linear(HIDDEN, 1))

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        logits: Tensor = self.layers(torch.cat([one, other, (one - other).abs(), one * other], -1)).squeeze(-1)
        return logits


def pairs(replies: Sequence[Sequence[str]], seed: int) -> list[tuple[str, str, int]]:
    """(sentence, sentence, 1 if of one reply): as many of each kind. Raises ValueError for fewer than two replies."""
    chance = random.Random(seed)  # noqa: S311 - a draw, not a secret
    long = [reply for reply in replies if len(reply) > 1]
    if len(long) < 2:
        raise ValueError("pairs need at least two replies of two sentences")
    found = []
    for place, reply in enumerate(long):
        one, other = chance.sample(list(reply), 2)
        step = chance.randrange(1, len(long))
        stranger = chance.choice(long[(place + step) % len(long)])
        found += [(one, other, 1), (one, stranger, 0)]
    return found


def train(
    found: Sequence[tuple[str, str, int]], embed: Embedder, *, epochs: int = 12, seed: int = 3
) -> tuple[Coherence, float]:
    """The classifier, and its accuracy on a tenth of the pairs that it has not seen."""
    torch.manual_seed(seed)
    texts = sorted({text for one, other, _ in found for text in (one, other)})
    place = {text: i for i, text in enumerate(texts)}
    vectors = embed(texts).clone()
    left, right = torch.tensor([place[row[0]] for row in found]), torch.tensor([place[row[1]] for row in found])
    labels = torch.tensor([float(row[2]) for row in found])
    cut = len(found) * 9 // 10
    model = Coherence()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    for _ in range(epochs):
        model.train()
        for rows in torch.split(torch.randperm(cut), BATCH):
            logits = model(vectors[left[rows]], vectors[right[rows]])
            optimiser.zero_grad()
            torch.autograd.backward(functional.binary_cross_entropy_with_logits(logits, labels[rows]))
            optimiser.step()
    model.eval()
    with torch.no_grad():
        kept = slice(cut, None)
        right_ones = (model(vectors[left[kept]], vectors[right[kept]]) > 0) == (labels[kept] > 0.5)
    return model, float(right_ones.float().mean())


def save(model: Coherence, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half() for name, value in model.state_dict().items()}, path)


def load(name: str = "partner", *, root: Path | None = None) -> Coherence:
    """The classifier of a release, its weights verified."""
    directory = folder(name, root=root)
    info: dict[str, Any] = manifest(directory)
    model = Coherence()
    try:
        file = verified(directory / "coherence.safetensors", info["coherence"]["sha256"])
        model.load_state_dict({key: value.float() for key, value in load_tensors(file.read_bytes()).items()})
    except (KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"{name} has no readable coherence classifier: {error}") from error
    return model.eval()
