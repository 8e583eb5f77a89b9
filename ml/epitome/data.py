"""Reads labelled and unlabelled pairs from CSV, refuses what it cannot trust, and splits by seeker."""

from __future__ import annotations

import csv
import hashlib
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml.safety import crisis
from ml.types import MECHANISMS, Levels, Pair

PAIR_COLUMNS = ("seeker_post", "response_post")
LABEL_COLUMNS = (
    "sp_id",
    *PAIR_COLUMNS,
    *(f"{mechanism}_{part}" for mechanism in MECHANISMS for part in ("level", "rationales")),
)

HELD_BACK = 0.92  # seekers from this place on train and calibrate no release: they compare both

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


class DataError(ValueError):
    """The file is not what its reader was promised; the message says where and why."""


@dataclass(frozen=True)
class Example:
    """One labelled pair: `rationales[m]` are the passages that carry mechanism m."""

    seeker_id: str
    pair: Pair
    levels: Levels
    rationales: tuple[tuple[str, ...], ...]

    def spans(self, mechanism: int) -> list[tuple[int, int]]:
        """The rationales as character offsets of the response; passages not found are left out."""
        found = []
        for passage in self.rationales[mechanism]:
            start = self.pair.response.find(passage)
            if start >= 0:
                found.append((start, start + len(passage)))
        return found


def read_pairs(path: Path) -> list[Pair]:
    return [_pair(row, path, line) for line, row in _rows(path, PAIR_COLUMNS)]


def read_examples(path: Path) -> list[Example]:
    """Labelled pairs, exact repeats of (post, response) dropped after the first."""
    seen: set[Pair] = set()
    examples = []
    for line, row in _rows(path, LABEL_COLUMNS):
        example = _example(row, path, line)
        if example.pair not in seen:
            seen.add(example.pair)
            examples.append(example)
    if not examples:
        raise DataError(f"{path}: no rows")
    return examples


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_columns(path, reader.fieldnames, columns)
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(f"{path}, line {reader.line_num}: not as many fields as columns")
                yield reader.line_num, row
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 (byte {error.start}: {error.reason})") from error
    except csv.Error as error:
        raise DataError(f"{path}: not a CSV file: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


def _check_columns(path: Path, found: Iterable[str] | None, wanted: Sequence[str]) -> None:
    have = list(found or ())
    missing = [column for column in wanted if column not in have]
    if missing:
        raise DataError(f"{path}: lacks the columns {', '.join(missing)}; it has {', '.join(have) or 'none'}")


def _pair(row: dict[str, str], path: Path, line: int) -> Pair:
    if not row["seeker_post"].strip():
        raise DataError(f"{path}, line {line}: seeker_post is empty")
    return Pair(row["seeker_post"], row["response_post"])


def _example(row: dict[str, str], path: Path, line: int) -> Example:
    if not row["sp_id"].strip():
        raise DataError(f"{path}, line {line}: sp_id is empty")
    er, ip, ex = (_level(row[f"{mechanism}_level"], mechanism, path, line) for mechanism in MECHANISMS)
    passages = tuple(_passages(row[f"{mechanism}_rationales"]) for mechanism in MECHANISMS)
    return Example(row["sp_id"], _pair(row, path, line), (er, ip, ex), passages)


def _level(text: str, mechanism: str, path: Path, line: int) -> int:
    if text.strip() not in {"0", "1", "2"}:
        raise DataError(f"{path}, line {line}: {mechanism}_level is {text!r}, not 0, 1 or 2")
    return int(text)


def _passages(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|") if part.strip())


def folds(examples: Sequence[Example], *, count: int, seed: int) -> list[frozenset[str]]:
    """`count` disjoint sets of seekers, drawn by seed, that differ by one seeker at most."""
    seekers = sorted({example.seeker_id for example in examples})
    if count < 2 or count > len(seekers):
        raise DataError(f"cannot make {count} folds of {len(seekers)} seekers")
    random.Random(seed).shuffle(seekers)  # noqa: S311 - a split, not a secret
    return [frozenset(seekers[start::count]) for start in range(count)]


def position(seeker_id: str) -> float:
    """A seeker's fixed place in [0, 1): the same whatever else is in the file."""
    digest = hashlib.sha256(f"attune-share:{seeker_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def share(examples: Iterable[Example], start: float, stop: float) -> list[Example]:
    """The examples of the seekers whose place lies in [start, stop)."""
    return [example for example in examples if start <= position(example.seeker_id) < stop]


def screened(examples: Iterable[Example]) -> tuple[list[Example], list[Example]]:
    """The examples that the crisis screen passes, and those whose post or response it catches."""
    passing: list[Example] = []
    caught: list[Example] = []
    for one in examples:
        hit = crisis.screen(one.pair.seeker) or crisis.screen(one.pair.response)
        (caught if hit else passing).append(one)
    return passing, caught
