"""Reinforcement learning of the policy: REINFORCE as in the paper, and best-of-n distillation beside it.

REINFORCE (WWW 2021, section 5.3): minus the advantage over the mean of the last hundred rewards, times the
log-probability of place and sentence. Best of n: the policy writes many, the rewards choose, and the policy learns
the chosen ones as it learned the lessons.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ml.partner.decoding import Decoder, Draft
from ml.partner.policy import PLACES, STOP, WINDOW, Branch, Packed, Policy, Tokens, Tree, Window, pack, replied
from ml.partner.rewards import REFUSED, Rewards, Rewritten
from ml.safety import candidates, crisis
from ml.text import apply
from ml.types import MECHANISMS, Edit, Pair

BASELINE = 100


@dataclass(frozen=True)
class Reinforcement:
    """How REINFORCE is done. The paper's rate is 1e-5 for all weights; adapters bear more."""

    steps: int = 240
    samples: int = 4
    rate: float = 4e-5
    seed: int = 9


@dataclass(frozen=True)
class Attempt:
    """One drawn action: a place, a sentence, and what came of it (None: the sentence is refused)."""

    draft: Draft
    place: int
    rewritten: Rewritten | None


def states(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """The pairs to practise on, shuffled; nothing that the crisis screen catches, nothing long."""
    fit = [one for one in pairs if not crisis.screen(one.seeker) and not crisis.screen(one.response)]
    fit = [one for one in fit if len(one.seeker) < 1_000 and len(one.response) < 400]
    return random.Random(seed).sample(fit, len(fit))  # noqa: S311 - an order, not a secret


def attempts(decoder: Decoder, pair: Pair, *, samples: int, seed: int) -> list[Attempt]:
    """`samples` actions for each mechanism."""
    chance = random.Random(seed)  # noqa: S311 - a draw, not a secret
    drafts = decoder.drafts(pair.seeker, pair.response, samples=samples, seed=seed)
    return [attempt(pair, draft, _place(draft, chance)) for draft in drafts]


def _place(draft: Draft, chance: random.Random) -> int:
    """A class that exists in this window, drawn by the policy's own chances."""
    weights = [p if fits(place, draft.window) else 0.0 for place, p in enumerate(draft.places)]
    return chance.choices(range(len(PLACES)), weights)[0] if sum(weights) > 0 else STOP


def fits(place: int, window: Window) -> bool:
    if place == STOP:
        return True
    op, at = PLACES[place].split()
    return int(at) < len(window.text) + (op == "insert")


def attempt(pair: Pair, draft: Draft, place: int) -> Attempt:
    if place == STOP:
        same = Rewritten(pair.seeker, pair.response, pair.response, "", ())
        return Attempt(draft, place, same)
    if candidates.check(draft.text):
        return Attempt(draft, place, None)
    return Attempt(draft, place, rewritten(pair, draft, place))


def rewritten(pair: Pair, draft: Draft, place: int) -> Rewritten:
    op, at = PLACES[place].split()
    index = draft.window.first + int(at)
    mine = replied(pair.response)
    edit = Edit(
        "insert" if op == "insert" else "replace", index, mine[index] if op == "replace" else "", draft.text, 0, 0
    )
    beside = mine[max(0, index - 1) : index + 1] if op == "insert" else mine[max(0, index - 1) : index]
    after = apply(pair.response, [edit])
    return Rewritten(pair.seeker, pair.response, after, draft.text, tuple(beside[:WINDOW]), draft.mechanism)


def rewarded(found: Sequence[Attempt], rewards: Rewards) -> tuple[Tensor, dict[str, float]]:
    """`[n]`: nothing for stopping, the penalty for what is refused; and the mean of each part over the rest."""
    total = torch.zeros(len(found))
    changed = [i for i, one in enumerate(found) if one.rewritten and one.rewritten.sentence]
    for i, one in enumerate(found):
        if one.rewritten is None:
            total[i] = REFUSED
    if not changed:
        return total, {}
    parts = rewards.parts([found[i].rewritten for i in changed])  # type: ignore[misc]
    total[changed] = rewards.total(parts)
    return total, {name: float(value.mean()) for name, value in parts.items()}


class Baseline:
    """The running mean of the last rewards (WWW 2021, section 5.3)."""

    def __init__(self, last: Sequence[float] = ()) -> None:
        self.last: deque[float] = deque(last, maxlen=BASELINE)

    def advantage(self, rewards: Tensor) -> Tensor:
        mean = sum(self.last) / len(self.last) if self.last else float(rewards.mean())
        self.last.extend(rewards.tolist())
        return rewards - mean


def surrogate(policy: Policy, packed: Packed, advantage: Tensor) -> Tensor:
    """Minus advantage times the log-probability of place and sentence, a mean over actions."""
    states_ = policy.states(packed.ids, packed.mask, packed.positions).flatten(0, 1)
    said = -functional.cross_entropy(policy.words(states_[packed.predicts]).float(), packed.targets, reduction="none")
    sentences = torch.zeros(len(advantage)).index_add(0, packed.owners, said)
    places = -functional.cross_entropy(policy.where(states_[packed.tag_ends].float()), packed.places, reduction="none")
    return -(advantage * (sentences + places)).mean()


def actions(pair: Pair, found: Sequence[Attempt], tokens: Tokens) -> Packed:
    """The attempts as trees for `surrogate`, one tree a window, in the order of the attempts."""
    trees = [
        Tree(
            (*tokens.post(pair.seeker), *tokens.window(one.draft.window)),
            (Branch(one.draft.mechanism, one.draft.ids if one.place != STOP else (), one.place),),
        )
        for one in found
    ]
    return pack(merged(trees), tokens)


def merged(trees: Sequence[Tree]) -> list[Tree]:
    """Neighbouring trees of one trunk as one, so that the trunk is read once."""
    found: list[Tree] = []
    for one in trees:
        if found and found[-1].trunk == one.trunk:
            found[-1] = Tree(one.trunk, (*found[-1].branches, *one.branches))
        else:
            found.append(one)
    return found


def best(pair: Pair, found: Sequence[Attempt], rewards: Rewards, tokens: Tokens) -> list[Tree]:
    """For each mechanism the attempt that earns most, as a lesson; none where none earns anything."""
    total, _ = rewarded(found, rewards)
    chosen = []
    for mechanism in MECHANISMS:
        mine = [i for i, one in enumerate(found) if one.draft.mechanism == mechanism and one.place != STOP]
        first = max(mine, key=lambda i: float(total[i]), default=None)
        if first is not None and float(total[first]) > 0:
            chosen.append(found[first])
    return merged(
        [
            Tree(
                (*tokens.post(pair.seeker), *tokens.window(one.draft.window)),
                (Branch(one.draft.mechanism, one.draft.ids, one.place),),
            )
            for one in chosen
        ]
    )
