"""What reinforcement pays the policy for: PARTNER's four rewards (WWW 2021, section 5.2), one for small edits, and
the verdict of the strict reader, without which the others are earned by sentences that mix up who did what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ml.partner.coherence import Coherence, Embedder
from ml.partner.policy import Tokens, post_text
from ml.types import Pair, Scorer

LAMBDA = 0.5  # forward against backward in the mutual information
REFUSED = -3.0  # in place of everything else, for a sentence that the safety table refuses


@dataclass(frozen=True)
class Weights:
    """The paper's weights, found there by grid search; `small`, `reader` and the penalty are this project's."""

    empathy: float = 1.0
    fluency: float = 10.0
    coherence: float = 0.1
    information: float = 0.1
    small: float = 0.4
    reader: float = 2.0


@dataclass(frozen=True)
class Rewritten:
    """One candidate: the reply with its new sentence, and the sentences beside that one."""

    post: str
    before: str
    after: str
    sentence: str
    beside: tuple[str, ...]
    mechanism: str = "er"

    @property
    def edit_rate(self) -> float:
        """Characters added or replaced for each character that was there; at most 3."""
        return min(3.0, len(self.sentence) / max(20, len(self.before)))


class LanguageModel:
    """The untrained language model: how likely it finds a text, in mean log-probability a token."""

    def __init__(self, model: Any, tokens: Tokens) -> None:
        self.model, self.tokens = model.eval(), tokens

    @torch.inference_mode()
    def likelihood(self, prompts: Sequence[str], texts: Sequence[str]) -> Tensor:
        """`[n]`: of each text behind its prompt; behind the end of a turn, where there is none."""
        heads = [self.tokens.ids(prompt) or [self.tokens.end] for prompt in prompts]
        bodies = [self.tokens.ids(text)[:160] or [self.tokens.end] for text in texts]
        width = max(len(h) + len(b) for h, b in zip(heads, bodies, strict=True))
        ids, seen = torch.zeros(len(heads), width, dtype=torch.long), torch.zeros(len(heads), width)
        for row, (head, body) in enumerate(zip(heads, bodies, strict=True)):
            ids[row, : len(head) + len(body)] = torch.tensor([*head, *body])
            seen[row, : len(head) + len(body)] = 1
        hidden = self.model.model(input_ids=ids, attention_mask=seen, use_cache=False).last_hidden_state
        return torch.stack([self._mean(hidden[row], heads[row], bodies[row]) for row in range(len(heads))])

    def _mean(self, hidden: Tensor, head: list[int], body: list[int]) -> Tensor:
        first = len(head)
        logs = self.model.lm_head(hidden[first - 1 : first - 1 + len(body)]).float().log_softmax(-1)
        mean: Tensor = logs[torch.arange(len(body)), torch.tensor(body)].mean()
        return mean


class Rewards:
    """Scores candidates; every part is `[n]`."""

    def __init__(
        self,
        scorer: Scorer,
        language: LanguageModel,
        coherence: Coherence,
        embed: Embedder,
        reader: Callable[[Sequence[Rewritten]], list[float]],
        weights: Weights | None = None,
    ) -> None:
        self.scorer, self.language, self.reader = scorer, language, reader
        self.coherence, self.embed = coherence, embed
        self.weights = weights or Weights()

    def parts(self, found: Sequence[Rewritten]) -> dict[str, Tensor]:
        """Each reward by its name, before weighting."""
        return {
            "empathy": self._empathy(found),
            "fluency": self._fluency(found),
            "coherence": self._coherence(found),
            "information": self._information(found),
            "small": -torch.tensor([one.edit_rate for one in found]),
            "reader": torch.tensor(self.reader(found)),
        }

    def total(self, parts: dict[str, Tensor]) -> Tensor:
        weighted = [getattr(self.weights, name) * value for name, value in parts.items()]
        return torch.stack(weighted).sum(0)

    def _empathy(self, found: Sequence[Rewritten]) -> Tensor:
        before = {(one.post, one.before) for one in found}
        pairs = [Pair(*one) for one in sorted(before)] + [Pair(one.post, one.after) for one in found]
        totals = [score.expected_total for score in self.scorer.score(pairs)]
        known = {(pair.seeker, pair.response): total for pair, total in zip(pairs, totals, strict=True)}
        return torch.tensor([known[one.post, one.after] - known[one.post, one.before] for one in found])

    def _fluency(self, found: Sequence[Rewritten]) -> Tensor:
        return self.language.likelihood([""] * len(found), [one.after for one in found]).exp()

    def _information(self, found: Sequence[Rewritten]) -> Tensor:
        """Forward: the sentence behind the post. Backward: the post behind the sentence."""
        forward = self.language.likelihood([post_text(one.post) for one in found], [one.sentence for one in found])
        backward = self.language.likelihood(
            [post_text(one.sentence) for one in found], [one.post[:400] for one in found]
        )
        return LAMBDA * forward + (1 - LAMBDA) * backward

    @torch.inference_mode()
    def _coherence(self, found: Sequence[Rewritten]) -> Tensor:
        """Mean over the sentences beside the new one; one half where it stands alone."""
        texts = sorted({text for one in found for text in (one.sentence, *one.beside)})
        vectors = dict(zip(texts, self.embed(texts), strict=True))
        return torch.stack([self._beside(one, vectors) for one in found])

    def _beside(self, one: Rewritten, vectors: dict[str, Tensor]) -> Tensor:
        if not one.beside:
            return torch.tensor(0.5)
        new = vectors[one.sentence].expand(len(one.beside), -1)
        chances: Tensor = self.coherence(new, torch.stack([vectors[text] for text in one.beside])).sigmoid()
        return chances.mean()
