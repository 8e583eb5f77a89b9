"""Trains the network of `insight` on posts whose themes were read off one by one (`judging/themes.tsv`).

Of a post the file holds a digest alone, since not all of them may be published: whoever has the posts can train.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from ml.partner import phrases, training
from ml.partner.insight import Insight, Shape
from ml.partner.reader import LabelError

LABELS = Path(__file__).parent / "judging" / "themes.tsv"
HELD_OUT = 8  # one post in so many measures, and is judged, and is never trained on
HEART = "*"


@dataclass(frozen=True)
class Read:
    """A post and the themes that it has; `heart` are those which its writer most wants understood."""

    post: str
    themes: frozenset[str]
    heart: frozenset[str]

    @property
    def held_out(self) -> bool:
        return int(digest(self.post), 16) % HELD_OUT == 0


@dataclass(frozen=True)
class Recipe:
    """How the network is trained."""

    epochs: int = 4
    size: int = 16
    rate: float = 3e-4
    decay: float = 0.01
    warm_up: float = 0.06
    seed: int = 3


def digest(post: str) -> str:
    """What stands for a post in the file, whatever its spaces."""
    return hashlib.sha256(" ".join(post.split()).encode("utf-8", "replace")).hexdigest()[-16:]


def labels(posts: Iterable[str], path: Path = LABELS) -> list[Read]:
    """The labelled ones among `posts`, in the order of the file. Raises LabelError."""
    known, names = {digest(post): post for post in posts}, {theme.name for theme in phrases.plain_themes()}
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        key, _, listed = line.partition("\t")
        marked = listed.split(",") if listed else []
        themes = frozenset(one.removesuffix(HEART) for one in marked)
        if unknown := themes - names:
            raise LabelError(f"{path.name}:{number}: there is no theme {', '.join(sorted(unknown))}")
        if key in known:
            hearts = frozenset(one.removesuffix(HEART) for one in marked if one.endswith(HEART))
            found.append(Read(known[key], themes, hearts))
    return found


def targets(rows: Sequence[Read], themes: Sequence[str]) -> Tensor:
    """`[posts, themes, 2]` of ones and zeros."""
    at = {name: i for i, name in enumerate(themes)}
    found = torch.zeros(len(rows), len(themes), 2)
    for i, row in enumerate(rows):
        for k, mine in enumerate((row.themes, row.heart)):
            found[i, [at[name] for name in mine], k] = 1
    return found


def batches(rows: Sequence[Read], size: int, seed: int) -> list[list[Read]]:
    """Random batches of like lengths."""
    draw = training.drawn(seed)
    shuffled = draw.sample(list(rows), len(rows))
    pools = [sorted(shuffled[i : i + 8 * size], key=lambda r: len(r.post)) for i in range(0, len(shuffled), 8 * size)]
    found = [pool[i : i + size] for pool in pools for i in range(0, len(pool), size)]
    return draw.sample(found, len(found))


def train(found: Sequence[Read], recipe: Recipe, shape: Shape, directory: Path) -> Insight:
    """Goes on where it stopped; a log row an epoch. Raises ValueError without posts to train on."""
    learnt = [row for row in found if not row.held_out]
    if not learnt:
        raise ValueError("none of the labelled posts is there to train on")
    torch.manual_seed(recipe.seed)
    themes = phrases.plain_themes()
    net = Insight(shape, [theme.name for theme in themes])
    steps = -(-len(learnt) // recipe.size) * recipe.epochs
    session = training.Session(
        net, directory, rate=recipe.rate, decay=recipe.decay, steps=steps, warm_up=recipe.warm_up
    )
    if not session.restore((recipe, shape)):
        net.eval().begin([_words(theme) for theme in themes], targets(learnt, net.themes).mean(0))
    for epoch in range(session.epoch, recipe.epochs):
        _epoch(net, session, batches(learnt, recipe.size, 1000 * recipe.seed + epoch), f"insight {epoch + 1}")
        session.epoch = epoch + 1
        session.log(**measured(net, [row for row in found if row.held_out]))
        session.save((recipe, shape))
    return net


def _words(theme: phrases.Theme) -> str:
    return " ".join([theme.means, *(text for _, text in theme.phrases[:12])])


def _epoch(net: Insight, session: training.Session[Insight], rows: Sequence[Sequence[Read]], label: str) -> None:
    net.train()
    with tqdm(rows, desc=label, unit="batch", mininterval=10) as bar:
        for batch in bar:
            with torch.autocast("cpu", torch.bfloat16, enabled=session.fast):
                logits = net(*net.batch([row.post for row in batch]))
            wanted = targets(batch, net.themes)
            loss = functional.binary_cross_entropy_with_logits(logits.float(), wanted, reduction="sum") / len(batch)
            session.descend(loss)
            bar.set_postfix(loss=f"{float(loss.detach()):.2f}", refresh=False)


def measured(net: Insight, held: Sequence[Read]) -> dict[str, float]:
    """Average precision over all (post, theme), and how often the likeliest heart is one, and is a theme at all."""
    if not held:
        return {}
    logits, wanted = net.logits([row.post for row in held]), targets(held, net.themes)
    likeliest = logits[..., 1].argmax(1)
    rows = torch.arange(len(held))
    return {
        "has_precision": average_precision(logits[..., 0], wanted[..., 0]),
        "heart_precision": average_precision(logits[..., 1], wanted[..., 1]),
        "likeliest_is_heart": float(wanted[rows, likeliest, 1].mean()),
        "likeliest_is_had": float(wanted[rows, likeliest, 0].mean()),
    }


def average_precision(scores: Tensor, wanted: Tensor) -> float:
    """The mean, over what is wanted, of the precision down to it."""
    hits = wanted.flatten()[scores.flatten().argsort(descending=True)]
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / hits.sum().clamp(min=1))
