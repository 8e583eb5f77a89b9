"""What a suggestion may not say and how it must look: every candidate passes this table first."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ml.safety.crisis import screen
from ml.safety.crisis_table import compiled
from ml.safety.normalise import fold, plain
from ml.text import sentences
from ml.types import Refusal

TABLE = Path(__file__).with_name("candidates.toml")
MOST_WORDS = 30
FEWEST_WORDS = 3
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
ALLOWED_CHARACTERS = re.compile(r"[A-Za-z0-9 ,.?!;'\u2019\u2013\u2014-]+")
# A fifth of any English sentence of some length are such words; word salad and other tongues have few.
COMMON = frozenset(
    """a about after all an and any are as at be because been being but by can did do does else even everyone
    feel felt feeling for from had has have he hear her him his how i if in is it its just like made make me
    more most much my need no nobody not of on one or other out over own people really she so some somebody
    someone still that the their them then there these they this those through to too up very want was way
    were what when where which while who why will with without would you your yourself you've you're it's
    that's i'm don't sounds must sorry""".split()  # noqa: SIM905 - a list of words reads best as words
)


@dataclass(frozen=True)
class Rule:
    """One kind of prohibited content; `raw` reads the folded text instead of the plain words."""

    name: str
    regex: re.Pattern[str]
    raw: bool
    caught: tuple[str, ...]
    allowed: tuple[str, ...]

    def refuses(self, folded: str, words: str) -> bool:
        return self.regex.search(folded if self.raw else words) is not None


def _read() -> tuple[Rule, ...]:
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))["rule"]
    return tuple(
        Rule(
            r["name"],
            compiled(r["phrases"], {}),
            r.get("raw", False),
            tuple(r["caught"]),
            tuple(r["allowed"]),
        )
        for r in rows
    )


RULES = _read()


def _too_long(text: str) -> bool:
    return len(WORD.findall(text)) > MOST_WORDS or len(text) > 240


def _too_short(text: str) -> bool:
    return len(WORD.findall(text)) < FEWEST_WORDS


def _not_one_sentence(text: str) -> bool:
    return len(sentences(text)) != 1 or text[-1] not in ".?!" or not text[0].isupper() or "\n" in text


def _odd_characters(text: str) -> bool:
    return ALLOWED_CHARACTERS.fullmatch(text) is None


def _not_english(text: str) -> bool:
    words = [w.lower().replace("\u2019", "'") for w in WORD.findall(text)]
    common = sum(w in COMMON for w in words)
    return common < max(1, 0.25 * len(words)) or any(_gibberish(w) for w in words)


def _gibberish(word: str) -> bool:
    return len(word) > 18 or re.search(r"[bcdfghjklmnpqrstvwxz]{6}|(.)\1\1", word) is not None


def _repeats_itself(text: str) -> bool:
    words = [w.lower() for w in WORD.findall(text)]
    triples = list(zip(words, words[1:], words[2:], strict=False))
    doubled = any(a == b and a not in ("that", "had") for a, b in pairwise(words))
    return doubled or len(set(triples)) < len(triples)


def _crisis(text: str) -> bool:
    return screen(text) is not None


FORM: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("too_short", _too_short),
    ("too_long", _too_long),
    ("odd_characters", _odd_characters),
    ("not_one_sentence", _not_one_sentence),
    ("not_english", _not_english),
    ("repeats_itself", _repeats_itself),
    ("crisis_screen", _crisis),
)


def check(text: str) -> Refusal | None:
    """Why this sentence must not be suggested, or None."""
    reason = _reason(text.strip())
    return Refusal(text, reason) if reason else None


def _reason(text: str) -> str | None:
    folded, words = fold(text), f" . {plain(text)} . "
    for rule in RULES:
        if rule.refuses(folded, words):
            return rule.name
    return next((name for name, bad in FORM if bad(text)), None)
