"""Whether a sentence is safe, about this post, and new to this reply; if not, why not."""

from __future__ import annotations

import re
from collections.abc import Collection

from ml.partner.phrases import MODEL, Move
from ml.safety.candidates import COMMON, check
from ml.text import sentences
from ml.types import Refusal

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
FILLER = COMMON | frozenset(
    """also away back because before better big bit both bring came come comes could day days each else ever
    every find first get gets getting give go goes going gone good got hard hear here i'm it's keep kind know
    last least less let life little long look lot many may me might moment moments never new next now often
    once part people place rather read right said say saying see sound sounds such sure take talk tell thing
    things think time times today us well went while wish words work would year years yet feels feelings
    hardest share shared reading""".split()  # noqa: SIM905
)
PEOPLE = (
    "mum mom mam mother dad father parents sister brother husband wife partner boyfriend girlfriend son daughter kids "
    "children baby friend friends boss manager teacher nan grandmother grandfather grandma grandpa flatmate roommate "
    "colleague supervisor doctor dog cat family neighbour landlord"
)
MEN = """
dad da daddy father husband boyfriend brother son grandad grandpa grandfather uncle nephew man boy bloke guy lad
"""
WOMEN = """
mum mom mam mammy mother wife girlfriend sister daughter nan nana gran grandma grandmother aunt auntie niece woman girl
lady lass lola
"""
HE = frozenset(("he", "him", "his", "himself", "he's"))
SHE = frozenset(("she", "her", "hers", "herself", "she's"))
SEXED = ((HE, frozenset(MEN.split())), (SHE, frozenset(WOMEN.split())))
NUMBER = re.compile(r"\d+")
I_ALONE = re.compile(r"\bI(?=\b|')")
OPENERS = re.compile(r"(?:it sounds|that sounds|i'm (?:so |really )?sorry|it must|that must|i feel for|what|how)", re.I)


def stems(text: str) -> frozenset[str]:
    """Content words, cut to what their forms share."""
    words = (w.lower().replace("\u2019", "'") for w in WORD.findall(text))
    return frozenset(re.sub(r"(?:ing|ed|es|s|ly|'s)$", "", w)[:7] for w in words if w not in FILLER and len(w) > 2)


def refusal(move: Move, *, post: str, reply: str, exclude: Collection[str]) -> Refusal | None:
    """Why this move is not offered here, or None."""
    reason = _reason(move, post, reply, exclude)
    return Refusal(move.text, reason) if reason else None


def _reason(move: Move, post: str, reply: str, exclude: Collection[str]) -> str | None:
    if move.text.lower() in {text.lower() for text in exclude}:
        return "shown_before"
    if unsafe := check(move.text):
        return unsafe.reason
    if move.fit <= 0:
        return "doubtful"
    if _repeats(move.text, reply):
        return "already_said"
    if move.theme != MODEL:
        return None
    return unfaithful(move.text, post)


def unfaithful(text: str, post: str) -> str | None:
    """Why a generated sentence is not about this post: it names others, or takes up none of its words."""
    if _names_strangers(text, post):
        return "names_someone_not_in_the_post"
    if _gives_a_sex(text, post):
        return "gives_somebody_a_sex"
    if set(NUMBER.findall(text)) - set(NUMBER.findall(post)):
        return "invents_a_number"
    if _letters(text) in _letters(post):
        return "repeats_the_post"  # somebody's hurtful question, said again to the one whom it hurt
    return None if stems(text) & stems(post) else "says_too_little_of_the_post"


def _letters(text: str) -> str:
    return f" {' '.join(WORD.findall(text.lower()))} "


def _gives_a_sex(text: str, post: str) -> bool:
    """Whether it says "he" or "she" of somebody for whom the post has no such word."""
    mine, theirs = set(WORD.findall(text.lower())), set(WORD.findall(post.lower()))
    return any(mine & pronouns and not theirs & (pronouns | people) for pronouns, people in SEXED)


def _repeats(text: str, reply: str) -> bool:
    """Whether the reply holds the sentence already, or most of what it would add."""
    mine = stems(text)
    return text.rstrip(".?!").lower() in reply.lower() or (len(mine) > 1 and len(mine & stems(reply)) > 0.6 * len(mine))


def _names_strangers(text: str, post: str) -> bool:
    """Whether it speaks of a person or animal whom the post does not mention."""
    said = set(WORD.findall(post.lower()))
    return bool(set(WORD.findall(text.lower())) & set(PEOPLE.split()) - said)


def dressed(text: str, reply: str) -> str:
    """`text` as the writer of `reply` types: in small letters, where none of their sentences has a capital."""
    first = [one.text[0] for one in sentences(reply)]
    if not first or any(mark.isupper() for mark in first) or re.search(r"\bI\b", reply):
        return text
    return I_ALONE.sub("i", text[:1].lower() + text[1:])


def alike(one: str, other: str) -> bool:
    """Whether two sentences open the same way or say much the same."""
    a, b = OPENERS.match(one), OPENERS.match(other)
    same_opening = bool(a and b and a[0].lower() == b[0].lower())
    mine, theirs = stems(one), stems(other)
    return same_opening or len(mine & theirs) >= max(2, 0.5 * min(len(mine), len(theirs)))
