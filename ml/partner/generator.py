"""Sentences from SmolLM2: a few stems continued in one batch behind a prompt that is read once.

`generate(num_return_sequences=...)` repeats the prompt before reading it (transformers #27449);
here the prompt is read at batch 1 and its cache repeated, and the examples before it only once
in a process.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import math
import timeit
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.partner import phrases, smollm
from ml.partner.filters import stems
from ml.partner.phrases import MODEL, Move
from ml.text import sentences
from ml.types import Release

log = logging.getLogger(__name__)

VERSION = "1"
POST_TOKENS = 220
NEW_TOKENS = 20
TEMPERATURE = 0.5
TOP_P = 0.9
TOP_K = 64
LEAST_LIKELIHOOD = -1.2  # mean log-probability a sampled token; below it, sentences wander
CLOSEST = 2.4  # a generated sentence gives way to an authored one that knows the situation

SYSTEM = (
    "You help volunteers to write kind replies. Read the post and write one short, warm sentence about the "
    "feelings in it. Give no advice."
)
EXAMPLES = (
    (
        "I studied for months and still failed my driving test, for the third time. Everyone at home laughed.",
        "It sounds like the laughing hurt even more than failing the test.",
    ),
    (
        "my grandad is in hospital and nobody will tell me what is going on, i just sit by the phone",
        "That must be so frightening, waiting by the phone without any news of him.",
    ),
    (
        "New flat, new job, and I have eaten dinner alone for six weeks.",
        "I'm sorry the evenings have been so lonely since you moved.",
    ),
    (
        "My sister got married on Saturday and I cried in the toilets. I don't even know why.",
        "What was going through your mind when the tears came at the wedding?",
    ),
)
STEMS: dict[str, tuple[str, ...]] = {
    "er": ("I'm so sorry you feel", "It makes me sad that you", "I'm so sorry, it must hurt that"),
    "ip": ("It sounds like you feel", "It must hurt that", "It must be so hard to", "It sounds like"),
    "ex": ("What was it like when", "How did you feel when", "What has been the hardest part of"),
}


@dataclass(frozen=True)
class Draft:
    """A generated sentence and how likely the model found what it added to the stem."""

    mechanism: str
    text: str
    likelihood: float


def prompt(post: str) -> str:
    return f"<|im_start|>user\n{post}<|im_end|>\n<|im_start|>assistant\n"


def prefix() -> str:
    shots = "".join(f"{prompt(post)}{reply}<|im_end|>\n" for post, reply in EXAMPLES)
    return f"<|im_start|>system\n{SYSTEM}<|im_end|>\n{shots}"


def digest() -> str:
    """What the release of the rewriter is: the weights, the prompt, the stems and the phrase book."""
    parts = [smollm.GGUF_SHA256, prefix(), json.dumps(STEMS, sort_keys=True), VERSION, phrases.digest()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class Generator:
    """The model in memory, with the examples already read."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.release = Release("partner", VERSION, digest())
        self.ends = {tokenizer.token_to_id("<|im_end|>"), tokenizer.token_to_id("<|endoftext|>")}
        self.prefix = self._read(self._ids(prefix()), None)[1]

    @classmethod
    def load(cls, root: Path | None = None) -> Generator:
        from tokenizers import Tokenizer
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging as hf_logging

        quiet: Any = hf_logging
        quiet.disable_progress_bar()
        folder = smollm.prepared(root)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, dtype=_precision(), attn_implementation="sdpa"
        )
        return cls(model.eval(), Tokenizer.from_file(str(folder / "tokenizer.json")))

    def moves(self, post: str, reply: str, *, seed: int) -> list[Move]:
        """The generated sentences as moves; of fit 0 where the model itself found them unlikely."""
        return [Move(d.mechanism, d.text, MODEL, _fit(d, post)) for d in self.drafts(post, seed=seed)]

    def drafts(self, post: str, *, seed: int) -> list[Draft]:
        """One sentence for each of four stems, drawn with the seed."""
        chosen = [("ip", 0), ("ip", 1), ("er", 0), ("ex", 0)]
        picked = [(m, STEMS[m][(seed + offset) % len(STEMS[m])]) for m, offset in chosen]
        rows = self._continue(post, [stem for _, stem in picked], seed)
        return [
            Draft(m, first_sentence(text), likelihood) for (m, _), (text, likelihood) in zip(picked, rows, strict=True)
        ]

    # --- decoding -------------------------------------------------------------------------------

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _read(self, ids: list[int], cache: Any) -> tuple[Any, Any]:
        """Logits after `ids`, and the cache that now holds them."""
        import torch

        with torch.inference_mode():
            out = self.model(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True, logits_to_keep=1)
        return out.logits[:, -1], out.past_key_values

    def _continue(self, post: str, stems_: list[str], seed: int) -> list[tuple[str, float]]:
        import torch

        body = self.tokenizer.decode(self._ids(post.replace("<|", "< |"))[:POST_TOKENS])
        logits, cache = self._read(self._ids(prompt(body)), copy.deepcopy(self.prefix))
        cache.batch_repeat_interleave(len(stems_))
        logits = logits.repeat(len(stems_), 1)
        batch = _Batch([self._ids(stem) for stem in stems_], seed)
        with torch.inference_mode():
            for _ in range(NEW_TOKENS):
                tokens = batch.next(logits.float())
                if batch.finished(self._closed, self.ends):
                    break
                out = self.model(input_ids=tokens[:, None], past_key_values=cache, use_cache=True)
                logits, cache = out.logits[:, -1], out.past_key_values
        return [(self.tokenizer.decode(row), batch.likelihood(i)) for i, row in enumerate(batch.rows)]

    def _closed(self, row: list[int]) -> bool:
        """Whether a row holds a whole sentence: its last token brought a full stop."""
        return any(mark in self.tokenizer.decode(row[-1:]) for mark in ".?!\n")


def _precision() -> Any:
    """bfloat16 where this CPU reads the widest layer faster in it: decoding waits for memory, not sums."""
    import torch

    def seconds(dtype: Any) -> float:
        row, layer = torch.ones(4, 576, dtype=dtype), torch.ones(16_384, 576, dtype=dtype)
        return min(timeit.repeat(lambda: torch.nn.functional.linear(row, layer), number=1, repeat=6)[1:])

    return torch.bfloat16 if seconds(torch.bfloat16) < seconds(torch.float32) else torch.float32


class _Batch:
    """Rows that first follow their stem and then are drawn from the model."""

    def __init__(self, stems_: list[list[int]], seed: int) -> None:
        import torch

        self.stems = stems_
        self.rows: list[list[int]] = [[] for _ in stems_]
        self.done = [False] * len(stems_)
        self.logprobs: list[list[float]] = [[] for _ in stems_]
        self.random = torch.Generator().manual_seed(seed % 2**63)

    def next(self, logits: Any) -> Any:
        import torch

        drawn = _draw(logits, self.random)
        scores = torch.log_softmax(logits, -1)
        for i, row in enumerate(self.rows):
            forced = self.stems[i][len(row)] if len(row) < len(self.stems[i]) else None
            if forced is not None:
                drawn[i] = forced
            if not self.done[i]:
                row.append(int(drawn[i]))
                if forced is None:
                    self.logprobs[i].append(float(scores[i, drawn[i]]))
        return drawn

    def finished(self, closed: Any, ends: set[int]) -> bool:
        for i, row in enumerate(self.rows):
            if not self.done[i] and len(row) > len(self.stems[i]):
                self.done[i] = row[-1] in ends or closed(row)
        return all(self.done)

    def likelihood(self, i: int) -> float:
        """Mean log-probability of what was drawn; minus infinity when nothing was."""
        drawn = self.logprobs[i]
        return sum(drawn) / len(drawn) if drawn else -math.inf


def _draw(logits: Any, random: Any) -> Any:
    """A token a row, from the likeliest that together reach TOP_P, at TEMPERATURE.

    The nucleus is looked for among the TOP_K likeliest: sorting the whole vocabulary costs as much
    as half a step of the model.
    """
    import torch

    values, index = logits.topk(TOP_K, -1)
    probabilities = torch.softmax(values / TEMPERATURE, -1)
    probabilities[probabilities.cumsum(-1) - probabilities > TOP_P] = 0.0
    return index.gather(-1, torch.multinomial(probabilities, 1, generator=random))[:, 0]


def first_sentence(text: str) -> str:
    """The first sentence of what was generated, "" where it was cut off before its end."""
    found = sentences(text.split("<|", 1)[0].split("\n", 1)[0])
    return found[0].text if found and found[0].text[-1] in ".?!" else ""


def _fit(draft: Draft, post: str) -> float:
    return fit(draft.text, post) if draft.likelihood >= LEAST_LIKELIHOOD else 0.0


def fit(text: str, post: str) -> float:
    """How closely a generated sentence knows the post: by the content words that they share."""
    return min(CLOSEST, 2.0 + 0.2 * len(stems(text) & stems(post)))
