"""Reads the table of the crisis screen (`crisis.toml`) into compiled patterns."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CATEGORIES = ("suicide", "self_harm", "harm_to_others", "danger", "eating")
TABLE = Path(__file__).with_name("crisis.toml")
UNCAPTURED = re.compile(r"(?<!\\)\((?!\?)")


@dataclass(frozen=True)
class Pattern:
    """One thing that must be noticed, or one idiom that must not."""

    category: str
    needles: tuple[str, ...]
    regex: re.Pattern[str]
    example: str


def compiled(phrases: list[str], words: dict[str, str]) -> re.Pattern[str]:
    """One regular expression for the phrases of a row; gaps are bounded, so it stays linear."""
    alternatives = "|".join(_expanded(phrase, words) for phrase in phrases)
    return re.compile(alternatives)


def _expanded(phrase: str, words: dict[str, str]) -> str:
    for name, value in words.items():
        phrase = phrase.replace(f"<{name}>", value)
    phrase = re.sub(r"<(\d)>", r"(\\w+ ){0,\1}?", phrase)
    start = "" if phrase.startswith(r"\.") else r"\b"
    end = r"\b" if phrase[-1].isalpha() or phrase[-1] in ")?*+" else ""
    return f"{start}(?:{UNCAPTURED.sub('(?:', phrase)}){end}"


def _row(entry: dict[str, Any], words: dict[str, str]) -> Pattern:
    category = entry.get("category", "idiom")
    if category not in (*CATEGORIES, "idiom"):
        raise ValueError(f"{TABLE.name}: unknown category {category!r}")
    return Pattern(category, tuple(entry["needles"]), compiled(entry["phrases"], words), entry["example"])


def _read() -> tuple[tuple[Pattern, ...], tuple[Pattern, ...]]:
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    words = table["words"]
    return (
        tuple(_row(entry, words) for entry in table["pattern"]),
        tuple(_row(entry, words) for entry in table["idiom"]),
    )


PATTERNS, IDIOMS = _read()
