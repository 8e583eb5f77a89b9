"""What a rewriter would say under each post of a study, on a sheet for people to judge."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from ml.partner.filters import refusal
from ml.partner.phrases import Move
from ml.partner.rewriter import Source
from ml.safety import crisis
from ml.types import MECHANISMS

COLUMNS = ("code", "post", "mechanism", "sentence", "show", "note")


def write(posts: Sequence[tuple[str, str]], sources: Sequence[Source], out: Path, *, each: int, seed: int) -> None:
    """The sheet as CSV, for `feedback.reviewed` of a protocol once `show` says yes or no everywhere.

    It stands under its name only once it is whole.
    """
    part = out.with_name(f"{out.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(sheet(tqdm(posts, desc="drawing", unit="post"), sources, each=each, seed=seed))
    part.rename(out)


def sheet(posts: Iterable[tuple[str, str]], sources: Sequence[Source], *, each: int, seed: int) -> Iterator[list[str]]:
    """Rows for (code, post), the likeliest to suit first; a post that the crisis screen catches has none."""
    for code, post in posts:
        if not crisis.screen(post):
            for move in likeliest(post, sources, each=each, seed=seed):
                yield [code, post, move.mechanism, move.text, "", ""]


def likeliest(post: str, sources: Sequence[Source], *, each: int, seed: int) -> list[Move]:
    """The best `each` of every mechanism that no filter refuses, of all sources."""
    moves = [move for source in sources for move in source.candidates(post, seed=seed)]
    fine = [move for move in moves if not refusal(move, post=post, reply="", exclude=())]
    ordered = sorted(fine, key=lambda move: -move.fit)
    return [move for mechanism in MECHANISMS for move in [m for m in ordered if m.mechanism == mechanism][:each]]
