"""The phrase book: authored moves, chosen by what a post speaks of (`phrases.toml`)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ml.safety.crisis_table import compiled
from ml.safety.normalise import plain
from ml.types import MECHANISMS, Slot

MODEL = "model"  # the theme of a generated sentence
TABLE = Path(__file__).with_name("phrases.toml")
WHO = re.compile(
    r"\bmy ((?:best |oldest |old |little |older |younger |big |late )?(?:mother in law|father in law|mum|mom|mam|dad|"
    r"mother|father|parents|sister|brother|husband|wife|partner|boyfriend|girlfriend|son|daughter|friends?|mate|boss|"
    r"manager|flatmate|roommate|colleague|supervisor|nan|gran|grandmother|grandfather|grandad|grandpa|aunt|uncle|cousin))\b"
)


@dataclass(frozen=True)
class Move:
    """One sentence that could be offered, and how closely it knows the post (1 any post, 3 a situation).

    `slot` is the one place it was written for; a move without it goes where its mechanism goes.
    """

    mechanism: str
    text: str
    theme: str
    fit: float
    slot: Slot | None = None


@dataclass(frozen=True)
class Theme:
    """What a post may be about, and the moves for it."""

    name: str
    depth: int
    cues: tuple[re.Pattern[str], ...]
    unless: re.Pattern[str] | None
    moves: tuple[tuple[str, str], ...]

    def fit(self, words: str) -> float | None:
        """How well the theme fits a post, or None where it does not."""
        found = [{m[0] for m in cue.finditer(words)} for cue in self.cues]
        if not all(found) or (self.unless and self.unless.search(words)):
            return None
        hits = sum(len(f) for f in found)
        return self.depth + 0.1 * min(hits, 5) + 0.3 * (len(self.cues) > 1)


@dataclass(frozen=True)
class Cold:
    """A kind of sentence that a suggestion may replace."""

    kind: str
    regex: re.Pattern[str]


@cache
def _table() -> tuple[tuple[Theme, ...], tuple[Cold, ...]]:
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    themes = tuple(
        Theme(
            row["name"],
            row["depth"],
            tuple(compiled([cue], {}) for cue in row.get("cues", [])),
            compiled(row["unless"], {}) if "unless" in row else None,
            tuple((mechanism, text) for mechanism in MECHANISMS for text in row.get(mechanism, [])),
        )
        for row in table["theme"]
    )
    return themes, tuple(Cold(row["kind"], compiled(row["phrases"], {})) for row in table["cold"])


def themes() -> tuple[Theme, ...]:
    return _table()[0]


def digest() -> str:
    """The SHA-256 of the book, which is its release."""
    import hashlib

    return hashlib.sha256(TABLE.read_bytes()).hexdigest()


def cold(sentence: str) -> str | None:
    """The kind of cold sentence that this is, if it is one."""
    words = f" . {plain(sentence)} . "
    return next((c.kind for c in _table()[1] if c.regex.search(words)), None)


def moves(post: str) -> list[Move]:
    """Every move whose theme fits the post, the closest themes first."""
    words = f" . {plain(post)} . "
    who = _who(words)
    return sorted(_moves(words, who), key=lambda move: -move.fit)


def _moves(words: str, who: str | None) -> Iterator[Move]:
    for theme in themes():
        fit = theme.fit(words)
        if fit is None:
            continue
        for mechanism, text in theme.moves:
            if "{who}" in text and who is None:
                continue
            yield Move(mechanism, text.replace("{who}", who or ""), theme.name, fit)


def _who(words: str) -> str | None:
    """ "your sister", where the post names exactly one person of the writer's."""
    found = {m[1] for m in WHO.finditer(words)}
    return f"your {found.pop()}" if len(found) == 1 else None
