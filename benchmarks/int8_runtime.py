"""How long drawing a post's sentences takes here and in an int8 runtime: `python -m benchmarks.int8_runtime`.

The released policy is served by torch, in bfloat16 where that is faster, every sample from one reading of the post. The
other side is the same policy, adapters folded in, converted by CTranslate2 to int8. In turn on the same posts, one
thread, medians; beside the time, how likely the policy finds what was drawn, and what share its reader would let
through, since a faster runtime that writes worse is no gain. Needs `pip install ctranslate2`, which Attune does not.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ml import runtime
from ml.partner import release, smollm
from ml.partner.decoding import NEW_TOKENS, TEMPERATURE, TOP_P, Decoder
from ml.partner.policy import replied, windows
from ml.partner.reader import Reader, measures
from ml.partner.source import LEAST_CHANCE, SAMPLES
from ml.types import MECHANISMS

ROOT = Path(__file__).resolve().parent.parent
Said = list[tuple[str, str]]


def converted(decoder: Decoder, runtime_of: Any, folder: Path) -> Any:
    """The policy's language model as an int8 generator of one thread."""
    model: Any = decoder.model
    model.float().save_pretrained(folder / "whole")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / "whole" / name).write_bytes((smollm.prepared() / name).read_bytes())
    converter = runtime_of.converters.TransformersConverter(str(folder / "whole"))
    converter.convert(str(folder / "int8"), quantization="int8")
    model.to(runtime.precision(runtime.DECODING))
    return runtime_of.Generator(str(folder / "int8"), device="cpu", inter_threads=1, intra_threads=1)


def by_int8(generator: Any, decoder: Decoder, post: str) -> Said:
    """Three prompts that share a beginning, `SAMPLES` sentences behind each."""
    tokens = decoder.tokens
    named: Callable[[Sequence[int]], list[str]] = lambda ids: [tokens.tokenizer.id_to_token(one) for one in ids]  # noqa: E731
    beginning = named([*tokens.post(post), *tokens.window(windows(replied(""))[0])])
    found = generator.generate_batch(
        [named(tokens.tags[mechanism]) for mechanism in MECHANISMS],
        static_prompt=beginning,
        include_prompt_in_result=False,
        max_length=NEW_TOKENS,
        sampling_topk=64,
        sampling_topp=TOP_P,
        sampling_temperature=TEMPERATURE,
        num_hypotheses=SAMPLES,
        end_token=[tokens.end],
    )
    return [
        (mechanism, tokens.text(ids))
        for mechanism, one in zip(MECHANISMS, found, strict=True)
        for ids in one.sequences_ids
    ]


def by_torch(decoder: Decoder, post: str, seed: int) -> Said:
    return [(one.mechanism, one.text) for one in decoder.drafts(post, "", samples=SAMPLES, seed=seed)]


def told(decoder: Decoder, reader: Reader, post: str, said: Said) -> tuple[float, float]:
    """The mean log-probability of a token by the policy, and the share that its reader lets through."""
    likely = decoder.likelihoods(post, said)
    passes = [
        reader.chance(measures(post, mechanism, text, one, mirrored=False)) >= LEAST_CHANCE[mechanism]
        for (mechanism, text), one in zip(said, likely, strict=True)
    ]
    return statistics.fmean(one.mean for one in likely), statistics.fmean(passes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=30)
    options = parser.parse_args()
    try:
        ctranslate2 = importlib.import_module("ctranslate2")
    except ImportError:
        print("left out: `pip install ctranslate2` first")
        return
    runtime.use_threads(1)
    policy, tokens, reader, _ = release.load()
    decoder = Decoder(policy, tokens, remember=False)
    with (ROOT / "protocols/hailey/posts.csv").open(encoding="utf-8", newline="") as file:
        posts = [row["text"] for row in csv.DictReader(file)][: options.posts]
    with tempfile.TemporaryDirectory() as folder:
        generator = converted(decoder, ctranslate2, Path(folder))
        sides: dict[str, Callable[[str, int], Said]] = {
            f"torch {str(runtime.precision(runtime.DECODING)).removeprefix('torch.')}": lambda post, seed: by_torch(
                decoder, post, seed
            ),
            "CTranslate2 int8": lambda post, _: by_int8(generator, decoder, post),
        }
        _compare(sides, decoder, reader, posts)


def _compare(
    sides: dict[str, Callable[[str, int], Said]], decoder: Decoder, reader: Reader, posts: Sequence[str]
) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    quality: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for seed, post in enumerate(posts):
        for name, draw in sides.items():
            start = time.perf_counter()
            said = draw(post, seed)
            seconds[name].append(time.perf_counter() - start)
            quality[name].append(told(decoder, reader, post, [one for one in said if one[1]]))
    for name in sides:
        likely, passed = (statistics.fmean(one[i] for one in quality[name]) for i in (0, 1))
        print(
            f"{name}: median {statistics.median(seconds[name]):.2f} s a post, log-probability {likely:.2f} a token, "
            f"{passed:.0%} pass the reader ({len(posts)} posts)"
        )


if __name__ == "__main__":
    main()
