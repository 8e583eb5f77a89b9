"""How a rewriter's answer compares with the paper's serving stack: `python -m benchmarks.paper_rewriter`.

The paper decodes a sentence with a GPT-2 of 345 million parameters and scores with EPITOME's six RoBERTa-base encoders
(WWW 2021, section 5; EMNLP 2020, section 5). Both are built here with random weights, which cost the same time, and run
in turn with the rewriter in one process: same post and draft, one thread, medians over the rounds.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ml import registry, runtime

ROOT = Path(__file__).resolve().parent.parent
NEW_TOKENS = 20  # of one sentence
ENCODERS = 6


def paper() -> Callable[[int], None]:
    """One sentence decoded behind `length` tokens, and as many tokens read by six encoders."""
    from transformers import GPT2Config, GPT2LMHeadModel, RobertaConfig, RobertaModel

    decoder: Any = GPT2LMHeadModel(GPT2Config(n_embd=1024, n_layer=24, n_head=16))
    encoder: Any = RobertaModel(RobertaConfig(max_position_embeddings=514))
    decoder.eval()
    encoder.eval()

    @torch.inference_mode()
    def answer(length: int) -> None:
        ids = torch.randint(10, 50_000, (1, length))
        decoder.generate(ids, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=True, pad_token_id=0)
        for _ in range(ENCODERS):
            encoder(input_ids=ids)

    return answer


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rewriter", default="phrasebook")
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args()
    runtime.use_threads(1)
    rewriter = registry.rewriter(options.rewriter, scorer="reward", gate=2.8, min_gain=0.15)
    with (ROOT / "protocols/hailey/posts.csv").open(encoding="utf-8", newline="") as file:
        posts = {row["code"]: row["text"] for row in csv.DictReader(file)}
    with (ROOT / "ml/partner/judging/drafts.csv").open(encoding="utf-8", newline="") as file:
        drafts = [(posts[row["code"]], row["draft"]) for row in csv.DictReader(file)][: options.rounds]
    theirs, mine, other = paper(), [], []
    for seed, (post, draft) in enumerate(drafts):
        rewriter.prepare(post)
        length = max(32, (len(post) + len(draft)) // 4)
        mine.append(timed(lambda post=post, draft=draft, seed=seed: rewriter.propose(post, draft, seed=seed)))  # type: ignore[misc]
        other.append(timed(lambda length=length: theirs(length)))  # type: ignore[misc]
    one, two = statistics.median(mine), statistics.median(other)
    print(
        f"{options.rewriter}: {one:.3f} s; the paper's stack: {two:.3f} s; ratio {two / one:.1f} ({len(drafts)} rounds)"
    )


if __name__ == "__main__":
    main()
