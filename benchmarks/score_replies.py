"""Replies scored per second by a release, beside the paper's three models on the same pairs and threads.

    python -m benchmarks.score_replies --data FILE.csv --release outcome --pairs 500 --rounds 3

The paper's configuration (EMNLP 2020): for each mechanism two RoBERTa-base encoders, 64 tokens of the post and
64 of the reply, padded to 64, float32, 32 pairs a batch. Its weights are random, which changes no time, and one
such model runs three times, which saves two thirds of the memory. Linux only: memory is read from /proc.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import torch
from torch import Tensor, nn

from ml import runtime
from ml.epitome.architectures import BiEncoder
from ml.epitome.data import read_pairs
from ml.epitome.inference import predict
from ml.epitome.model import encode
from ml.epitome.scorer import CLOSE, EpitomeScorer, load
from ml.packed import Packed
from ml.types import MECHANISMS, Pair

SIDE, BATCH = 64, 32
PRODUCT = 2048  # rows and columns of the matrices whose product gives the machine's peak
SENTENCES = (
    "That sounds really hard.",
    "I am so sorry that you had to hear it from them.",
    "You could try a walk before bed.",
    "What happened next?",
    "My flatmate moved out in March and I have not slept well since then.",
    "I failed the exam again, and my parents keep asking about it.",
    "It must be lonely to come home to an empty house after such a week.",
    "Have you told your friend how much it hurt?",
    "Nobody at work seems to notice that I am there.",
    "I felt the same way when my brother stopped calling, and it took me months to say so.",
    "Things will get better with time.",
    "We used to talk every evening and now there is only silence between us.",
    "How long have you been carrying this on your own?",
    "Thanks for writing it down here.",
    "I do not know what I want any more, only that I am tired.",
    "Maybe a counsellor at your school can help you sort it out.",
)


def made_up(count: int, seed: int = 1) -> list[Pair]:
    """Pairs of this file's sentences, in lengths spread as forum replies are (median near 28 words)."""
    draw = random.Random(seed)

    def text(middle: float, spread: float) -> str:
        wanted = min(160, draw.lognormvariate(middle, spread))
        sentences = [draw.choice(SENTENCES)]
        while sum(len(one.split()) for one in sentences) < wanted:
            sentences.append(draw.choice(SENTENCES))
        return " ".join(sentences)

    return [Pair(text(3.4, 0.5), text(3.1, 0.9)) for _ in range(count)]


def chosen(path: Path | None, count: int) -> list[Pair]:
    """So many pairs of the file, drawn by a fixed seed; all of them where it has fewer."""
    if path is None:
        return made_up(count)
    found = read_pairs(path)
    return random.Random(1).sample(found, min(count, len(found)))


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def resident() -> float:
    """This process's resident memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class PaperModel:
    """One mechanism's model of the paper with random weights, to be run once for each mechanism."""

    def __init__(self) -> None:
        from transformers import RobertaConfig, RobertaModel

        shape = RobertaConfig(
            vocab_size=50265, hidden_size=768, num_hidden_layers=12, max_position_embeddings=514, type_vocab_size=1
        )
        encoders = (RobertaModel(shape, add_pooling_layer=False) for _ in range(2))
        self.model = BiEncoder(*encoders).eval()

    def score(self, lengths: list[tuple[int, int]]) -> None:
        """Pairs of so many tokens; only their padded width costs time."""
        with torch.inference_mode():
            for start in range(0, len(lengths), BATCH):
                part = lengths[start : start + BATCH]
                seeker, response = (_padded([one[side] for one in part]) for side in (0, 1))
                for _ in MECHANISMS:
                    self.model(*seeker, *response)


def _padded(lengths: list[int]) -> tuple[Tensor, Tensor]:
    seen = (torch.arange(SIDE) < torch.tensor(lengths).clamp(2, SIDE).unsqueeze(1)).long()
    tokens = torch.randint(3, 50265, seen.shape).where(seen.bool(), torch.tensor(1))
    return tokens, seen


@dataclass(frozen=True)
class Roofline:
    """Multiply-adds of one pair in the encoder's linear layers, and the machine's peak of them a second."""

    per_pair: float
    peak: float

    def reached(self, pairs_per_second: float) -> float:
        return self.per_pair * pairs_per_second / self.peak


def roofline(scorer: EpitomeScorer, pairs: list[Pair]) -> Roofline:
    """The embeddings, the attention's own products and the small heads are not counted."""
    tokens = mean(len(one) for one in encode(pairs, scorer.model.config))
    return Roofline(linear_weights(scorer.model) * tokens, peak(torch.bfloat16 if scorer.fast else torch.float32))


def linear_weights(model: nn.Module) -> int:
    return sum(
        module.weight.numel()
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Packed) and not name.startswith("heads.")
    )


def peak(dtype: torch.dtype) -> float:
    """Multiply-adds a second of the best of five large matrix products."""
    left, right = (torch.randn(PRODUCT, PRODUCT).to(dtype) for _ in range(2))
    with torch.inference_mode():
        return PRODUCT**3 / min(seconds(lambda: left @ right) for _ in range(5))


def close_share(scorer: EpitomeScorer, pairs: list[Pair]) -> float:
    """The share of pairs that a fast release computes twice, for a decision too close for bfloat16."""
    if not scorer.fast:
        return 0.0
    logits = predict(scorer.model, encode(pairs, scorer.model.config), fast=True).logits
    return float((scorer.calibration.margins(logits) < CLOSE).mean())


@dataclass
class Times:
    """Seconds a pair, round by round."""

    release: list[float]
    paper: list[float]
    calls: dict[int, list[float]]


def in_calls(scorer: EpitomeScorer, pairs: list[Pair], size: int) -> None:
    for start in range(0, len(pairs), size):
        scorer.score(pairs[start : start + size])


def measure(scorer: EpitomeScorer, pairs: list[Pair], options: argparse.Namespace) -> Times:
    """Rounds interleave the sides, so that a busy minute hits all alike."""
    paper, times = PaperModel(), Times([], [], {1: [], 9: []})
    lengths = [(len(one.seeker) + 2, len(one.response) + 2) for one in encode(pairs, scorer.model.config)]
    sample, few = lengths[: options.paper_sample], pairs[: options.single]
    paper.score(sample[:BATCH])
    scorer.score(few)
    for _ in range(options.rounds):
        times.release.append(seconds(lambda: scorer.score(pairs)) / len(pairs))
        times.paper.append(seconds(lambda: paper.score(sample)) / len(sample))
        for size, found in times.calls.items():
            found.append(seconds(lambda size=size: in_calls(scorer, few, size)) / len(few))  # type: ignore[misc]
    return times


def told(times: Times, roof: Roofline, options: argparse.Namespace, count: int) -> str:
    release, paper = median(times.release), median(times.paper)
    ratio = median(p / r for r, p in zip(times.release, times.paper, strict=True))
    sampled = f"timed on {min(options.paper_sample, count)} of the {count} pairs each round, and scaled"
    few = min(options.single, count)
    lines = [
        f"{options.release}, one call of {count} pairs: {_speed(release)}, {release * count:.1f} s in all",
        *(
            f"{options.release}, {size} a call ({few} pairs): {_speed(median(found))}"
            for size, found in times.calls.items()
        ),
        f"paper's configuration: {_speed(paper)}, {paper * count:.1f} s in all ({sampled}; one model run three times)",
        f"ratio: {ratio:.1f} (median of {len(times.release)} rounds, each side in every round)",
        f"roofline: {roof.per_pair / 1e9:.2f} G multiply-adds a pair, peak {roof.peak / 1e9:.0f} G a second",
        f"reached: {roof.reached(1 / release):.0%} of the peak",
    ]
    return "\n".join(lines)


def _speed(each: float) -> str:
    return f"{1 / each:.1f} pairs/s, {1000 * each:.1f} ms a pair"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="FILE.csv", help="pairs to score (default: made-up ones)")
    parser.add_argument("--release", default="outcome")
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--single", type=int, default=80, help="pairs for the figures of small calls")
    parser.add_argument("--paper-sample", type=int, default=64, help="pairs that the paper's side scores a round")
    parser.add_argument("--threads", type=int, help="torch threads (default: one)")
    options = parser.parse_args()
    threads = runtime.use_threads(options.threads)
    before, start = resident(), time.perf_counter()
    scorer = load(options.release)
    took = time.perf_counter() - start
    pairs = chosen(options.data, options.pairs)
    scorer.score(pairs[:1])
    precision = "bfloat16" if scorer.fast else "float32"
    print(f"{scorer.release}: {precision}, {threads} thread(s), load {os.getloadavg()[0]:.1f}")
    print(f"loaded in {took:.1f} s; resident memory {before:.0f} MiB before, {resident():.0f} MiB after", flush=True)
    roof = roofline(scorer, pairs)
    times = measure(scorer, pairs, options)
    print(told(times, roof, options, len(pairs)))
    if scorer.fast:
        print(f"computed again in float32, not in the roofline: {close_share(scorer, pairs):.0%} of pairs")


if __name__ == "__main__":
    main()
