"""Runs the policy: places and sentences for one post and reply, in batches that share what they have in common.

A post is read once and remembered; its windows are read beside each other, then each window's three tags, and all
samples are drawn together (transformers' `generate` would read the prompt once a sample, transformers #27449).
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ml.partner.policy import PLACES, STOP, Policy, Tokens, Window, replied, windows
from ml.types import MECHANISMS

TEMPERATURE = 0.8
TOP_P = 0.92  # the paper's
NEW_TOKENS = 32
MOST_WINDOWS = 4
TOGETHER = 32  # sentences whose likelihood is read in one batch
REMEMBERED = 64  # posts whose reading is kept, some two megabytes each


@dataclass(frozen=True)
class Likely:
    """How likely the policy finds a sentence's tokens, as log-probabilities: their mean, and the least."""

    mean: float
    least: float


@dataclass(frozen=True)
class Draft:
    """A sentence, the chances of its places in its window, and how likely the policy finds its words."""

    mechanism: str
    text: str
    window: Window
    places: tuple[float, ...]
    likely: Likely
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Need:
    """Where a reply would take a mechanism's sentence: a window, its places' chances, its row among those read."""

    mechanism: str
    window: Window
    places: tuple[float, ...]
    row: int


@dataclass
class State:
    """What has been read so far: rows of a cache, which of its columns hold something, the next logits."""

    cache: Any
    seen: Tensor
    hidden: Tensor

    def rows(self, chosen: Sequence[int]) -> State:
        index = torch.tensor(list(chosen))
        cache = copy.deepcopy(self.cache)
        cache.batch_select_indices(index)
        return State(cache, self.seen[index], self.hidden[index])


class Decoder:
    """A policy with a memory of posts."""

    def __init__(self, policy: Policy, tokens: Tokens, *, remember: bool = True) -> None:
        self.policy, self.tokens = policy, tokens
        self.model = policy.model
        self.posts: OrderedDict[str, State] = OrderedDict()
        self.remember = remember

    @torch.inference_mode()
    def drafts(
        self, post: str, reply: str, *, samples: int, seed: int, wanted: Sequence[str] = MECHANISMS
    ) -> list[Draft]:
        """`samples` sentences for each wanted mechanism, in the window where it is needed most."""
        tagged, needs = self._needs(post, reply, wanted)
        rows = [need.row for need in needs for _ in range(samples)]
        sampled = self._sample(tagged.rows(rows), seed)
        return [
            Draft(need.mechanism, self.tokens.text(ids), need.window, need.places, likely, tuple(ids))
            for need, (ids, likely) in zip((n for n in needs for _ in range(samples)), sampled, strict=True)
        ]

    @torch.inference_mode()
    def needs(self, post: str, reply: str, wanted: Sequence[str] = MECHANISMS) -> list[Need]:
        """For each wanted mechanism the window where it is needed most, and the chances of its places there."""
        return self._needs(post, reply, wanted)[1]

    @torch.inference_mode()
    def likelihoods(self, post: str, said: Sequence[tuple[str, str]]) -> list[Likely]:
        """How likely the policy finds each (mechanism, sentence) before any reply."""
        state = self._windows(self._post(post), windows([]))
        found: list[Likely] = []
        for start in range(0, len(said), TOGETHER):
            part = said[start : start + TOGETHER]
            rows = [[*self.tokens.tags[mechanism], *self.tokens.sentence(text)] for mechanism, text in part]
            heads = [len(self.tokens.tags[mechanism]) for mechanism, _ in part]
            found += self._read_off(self._hidden(state.rows([0] * len(part)), rows), rows, heads)
        return found

    def _read_off(self, hidden: Tensor, rows: Sequence[Sequence[int]], heads: Sequence[int]) -> list[Likely]:
        found = []
        for states, row, head in zip(hidden, rows, heads, strict=True):
            logs = self.model.lm_head(states[head - 1 : len(row) - 1]).float().log_softmax(-1)
            mine = logs[torch.arange(len(row) - head), torch.tensor(row[head:])]
            found.append(Likely(float(mine.mean()), float(mine.min())))
        return found

    def _needs(self, post: str, reply: str, wanted: Sequence[str]) -> tuple[State, list[Need]]:
        found = _some(windows(replied(reply)))
        tagged = self._tags(self._windows(self._post(post), found), len(found), wanted)
        chances = self._chances(tagged).view(len(found), len(wanted), len(PLACES))
        best = chances[:, :, STOP].argmin(0).tolist()
        needs = [
            Need(mechanism, found[w], tuple(chances[w, m].tolist()), w * len(wanted) + m)
            for m, (mechanism, w) in enumerate(zip(wanted, best, strict=True))
        ]
        return tagged, needs

    # --- reading --------------------------------------------------------------------------------

    def _post(self, post: str) -> State:
        if post in self.posts:
            self.posts.move_to_end(post)
            return self.posts[post]
        state = self._read(None, [self.tokens.post(post)])
        if self.remember:
            self.posts[post] = state
            while len(self.posts) > REMEMBERED:
                self.posts.popitem(last=False)
        return state

    def _windows(self, state: State, found: Sequence[Window]) -> State:
        return self._read(state.rows([0] * len(found)), [self.tokens.window(window) for window in found])

    def _tags(self, state: State, count: int, wanted: Sequence[str]) -> State:
        rows = [w for w in range(count) for _ in wanted]
        return self._read(state.rows(rows), [self.tokens.tags[m] for _ in range(count) for m in wanted])

    def _chances(self, state: State) -> Tensor:
        where: Tensor = self.policy.where(state.hidden.float()).softmax(-1)
        return where

    def _read(self, state: State | None, ids: Sequence[Sequence[int]]) -> State:
        """Read one piece more in every row; shorter pieces are filled up and the filling never seen."""
        cache, seen, hidden = self._forward(state, ids)
        last = torch.tensor([len(row) - 1 for row in ids])
        return State(cache, seen, hidden[torch.arange(len(ids)), last])

    def _hidden(self, state: State, ids: Sequence[Sequence[int]]) -> Tensor:
        hidden: Tensor = self._forward(state, ids)[2]
        return hidden

    def _forward(self, state: State | None, ids: Sequence[Sequence[int]]) -> tuple[Any, Tensor, Tensor]:
        """The cache, which of its columns hold something, and the last layer's states."""
        width = max(len(row) for row in ids)
        tokens = torch.zeros(len(ids), width, dtype=torch.long)
        fresh = torch.zeros_like(tokens)
        for r, row in enumerate(ids):
            tokens[r, : len(row)] = torch.tensor(row)
            fresh[r, : len(row)] = 1
        before = state.seen if state else torch.zeros(len(ids), 0, dtype=torch.long)
        seen = torch.cat([before, fresh], 1)
        positions = before.sum(1, keepdim=True) + torch.arange(width)
        out = self.model.model(
            input_ids=tokens,
            attention_mask=seen,
            position_ids=positions,
            past_key_values=state.cache if state else None,
            use_cache=True,
        )
        return out.past_key_values, seen, out.last_hidden_state

    # --- writing --------------------------------------------------------------------------------

    def _sample(self, state: State, seed: int) -> list[tuple[list[int], Likely]]:
        """For each row the tokens up to the end of its sentence, and how likely they were."""
        chance = torch.Generator().manual_seed(seed % 2**63)
        count = len(state.seen)
        said: list[list[int]] = [[] for _ in range(count)]
        logs_of: list[list[float]] = [[] for _ in range(count)]
        open_rows = list(range(count))
        for _ in range(NEW_TOKENS):
            logits = self.model.lm_head(state.hidden).float()
            logs = logits.log_softmax(-1)
            tokens = torch.multinomial(_nucleus(logits), 1, generator=chance).squeeze(1)
            for at, row in enumerate(open_rows):
                logs_of[row].append(float(logs[at, tokens[at]]))
                said[row].append(int(tokens[at]))
            kept = [at for at, token in enumerate(tokens.tolist()) if token != self.tokens.end]
            open_rows = [open_rows[at] for at in kept]
            if not open_rows:
                break
            if len(kept) < len(tokens):
                state.cache.batch_select_indices(torch.tensor(kept))
                state = State(state.cache, state.seen[kept], state.hidden[kept])
            state = self._read(state, [[int(tokens[at])] for at in kept])
        return [
            (ids, Likely(sum(mine) / max(1, len(mine)), min(mine))) for ids, mine in zip(said, logs_of, strict=True)
        ]


def _nucleus(logits: Tensor) -> Tensor:
    """Probabilities at the temperature, outside the smallest set that holds TOP_P nothing."""
    top, index = (logits / TEMPERATURE).topk(64)
    chances = top.softmax(-1)
    beyond = chances.cumsum(-1) - chances >= TOP_P
    kept = chances.masked_fill(beyond, 0.0)
    return torch.zeros_like(logits).scatter_(1, index, kept)


def _some(found: list[Window]) -> list[Window]:
    """Of many windows the first ones and the last ones."""
    if len(found) <= MOST_WINDOWS:
        return found
    half = MOST_WINDOWS // 2
    return [*found[:half], *found[-half:]]
