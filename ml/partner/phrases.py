"""The phrase book: sentences by hand for each of the themes that a post may have (`bank/*.jsonl`).

A theme is a definition ("The writer is always the one who gets in touch") with sentences of warmth, understanding and
exploration that are right under every post that meets it. Which themes a post has is for `ml.partner.insight` to say.
"""

from __future__ import annotations

import hashlib
import json
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
BANK = Path(__file__).with_name("bank")
COLD = Path(__file__).with_name("cold.toml")
GENERAL = Path(__file__).with_name("general.toml")
GLAD = "better_days"  # the one broad theme whose posts are not troubled
WHO = "{who}"
# Of which kind somebody must be for a theme's {who}, so that nobody else's death or deed is spoken of.
KINDS = {
    "parent": "mum mom mam mother dad father",
    "mother": "mum mom mam mother",
    "father": "dad father",
    "grandparent": "nan gran grandma grandmother grandad grandpa grandfather",
    "partner": "husband wife partner boyfriend girlfriend",
    "friend": "friend mate",
    "sibling": "sister brother",
    "child": "son daughter",
    "boss": "boss manager supervisor",
    "elder": "mum mom mam mother dad father nan gran grandma grandmother grandad grandpa grandfather",
    "pet": "dog cat puppy kitten rabbit hamster horse budgie parrot",
}
KINDS["person"] = " ".join(sorted(set(" ".join([*KINDS.values(), "aunt uncle cousin niece nephew"]).split())))


@dataclass(frozen=True)
class Move:
    """One sentence that could be offered, and how well it would suit the post (0 not at all).

    `slot` is the one place it was written for; a move without it goes where its mechanism goes.
    """

    mechanism: str
    text: str
    theme: str
    fit: float
    slot: Slot | None = None

    @property
    def rank(self) -> float:
        """The fit, so coarse that sentences which suit about as well keep the order that a seed gave them."""
        return round(4 * self.fit) / 4


@dataclass(frozen=True)
class Theme:
    """What a post may speak of: its name, its definition, and (mechanism, sentence) pairs.

    A broad theme is had by a post that has any theme it is made `of`, and says no more than holds for each of these.
    `kind` is who somebody must be to be named in its sentences.
    """

    name: str
    means: str
    phrases: tuple[tuple[str, str], ...]
    kind: str | None = None
    of: tuple[str, ...] = ()

    def said(self, post: str) -> Iterator[tuple[str, str, str]]:
        """(mechanism, sentence as in the book, as it would stand under this post), without those that need a name
        which the post does not give."""
        who = named(self.kind, post) if self.kind else None
        for mechanism, text in self.phrases:
            if who or WHO not in text:
                yield mechanism, text, text.replace(WHO, who or "")


@dataclass(frozen=True)
class Cold:
    """A kind of sentence that a suggestion may replace."""

    kind: str
    regex: re.Pattern[str]


@cache
def themes() -> tuple[Theme, ...]:
    """Every theme of the bank, in the order of the files."""
    lines = [line for file in sorted(BANK.glob("*.jsonl")) for line in file.read_text(encoding="utf-8").splitlines()]
    return tuple(_theme(**json.loads(line)) for line in lines)


def _theme(*, theme: str, means: str, who: str | None = None, of: str = "", **phrases: list[str]) -> Theme:
    return Theme(theme, means, tuple((m, text) for m in MECHANISMS for text in phrases[m]), who, tuple(of.split()))


@cache
def general() -> Theme:
    """Sentences that are right under every post whose writer is troubled, and take up nothing of it."""
    found = tomllib.loads(GENERAL.read_text(encoding="utf-8"))
    means = "The writer is troubled by something, whatever it is."
    return Theme("general", means, tuple((m, text) for m in MECHANISMS for text in found[m]))


def plain_themes() -> list[Theme]:
    """Those that are read off a post; the broad ones follow from them."""
    return [theme for theme in themes() if not theme.of]


@cache
def digest() -> str:
    """The SHA-256 of the bank and the general sentences, by which a release knows its book."""
    found = hashlib.sha256()
    for file in (*sorted(BANK.glob("*.jsonl")), GENERAL):
        found.update(file.read_bytes())
    return found.hexdigest()


@cache
def _colds() -> tuple[Cold, ...]:
    rows = tomllib.loads(COLD.read_text(encoding="utf-8"))["cold"]
    return tuple(Cold(row["kind"], compiled(row["phrases"], {})) for row in rows)


def cold(sentence: str) -> str | None:
    """The kind of cold sentence that this is, if it is one."""
    words = f" . {plain(sentence)} . "
    return next((c.kind for c in _colds() if c.regex.search(words)), None)


def named(kind: str, post: str) -> str | None:
    """ "your sister", where the post speaks of one person of this kind and no other."""
    words = "|".join(KINDS[kind].split())
    found = re.findall(rf"\b((?:best |oldest |old |older |younger |little |big )?({words})(s)?)\b", plain(post))
    if len({word for _, word, _ in found}) != 1 or any(plural for *_, plural in found):
        return None
    return f"your {found[0][0]}"
