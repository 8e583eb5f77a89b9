"""Replies scored per second by a release: `python -m benchmarks.score_replies`."""

from __future__ import annotations

import argparse
import random
import statistics
import time

from ml import runtime
from ml.epitome.scorer import EpitomeScorer, load
from ml.types import Pair

OPENERS = ("That sounds really hard.", "I am so sorry.", "You could try a walk.", "What happened next?")
WORDS = (
    "they",
    "you",
    "work",
    "night",
    "sleep",
    "friend",
    "exam",
    "alone",
    "house",
    "family",
    "never",
    "feel",
)


def pairs(count: int, seed: int = 1) -> list[Pair]:
    """Made-up pairs whose lengths are spread as forum replies are (median 28 words, a tenth over 100)."""
    draw = random.Random(seed)

    def text(middle: float, spread: float) -> str:
        words = min(160, max(3, int(draw.lognormvariate(middle, spread))))
        return f"{draw.choice(OPENERS)} " + " ".join(draw.choices(WORDS, k=words))

    return [Pair(text(3.4, 0.5), text(3.1, 0.9)) for _ in range(count)]


def rate(scorer: EpitomeScorer, sample: list[Pair], size: int) -> float:
    start = time.perf_counter()
    for first in range(0, len(sample), size):
        scorer.score(sample[first : first + size])
    return len(sample) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--releases", nargs="+", default=["outcome", "reward"])
    parser.add_argument("--count", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    threads = runtime.use_threads(options.threads)
    scorers = [load(name) for name in options.releases]
    sample, sizes = pairs(options.count), (1, 9, options.count)
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(options.rounds):  # rounds interleave the variants, so that a busy minute hits all alike
        for scorer in scorers:
            for size in sizes:
                rates.setdefault((scorer.release.name, size), []).append(rate(scorer, sample, size))
    print(f"{options.count} pairs, {options.rounds} rounds, {threads} thread(s)")
    print(f"{'release':<10}{'pairs a call':>14}{'pairs/s median':>16}{'best':>8}{'ms a pair':>11}")
    for (name, size), found in rates.items():
        middle = statistics.median(found)
        print(f"{name:<10}{size:>14}{middle:>16.1f}{max(found):>8.1f}{1000 / middle:>11.1f}")


if __name__ == "__main__":
    main()
