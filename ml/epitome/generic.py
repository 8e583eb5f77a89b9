"""Authored examples of the two rarest levels: understanding only claimed, and questions that name nothing.

The annotation guide of EPITOME calls these weak: "I understand" says that one understands, not what; "What's
going on?" asks, but explores nothing in particular. They are 4% and 3% of the labelled replies, too few to
learn from, and many of those few are disputable. So some replies without the mechanism get such a sentence, as their
first or last, and the level weak. The sentences are this project's own.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from ml.epitome.data import Example
from ml.types import Levels, Pair

CLAIMS = (
    "I understand.",
    "I get it.",
    "I can relate.",
    "I can relate to this so much.",
    "Same here.",
    "Same.",
    "Me too.",
    "I feel the same way.",
    "I know what you mean.",
    "I know the feeling.",
    "I know how that is.",
    "I totally get where you are coming from.",
    "I understand what you are going through.",
    "I've been there.",
    "Been there too.",
    "Yeah I feel you.",
    "I know that feeling all too well.",
    "Your post is very relatable.",
    "I'm in the same boat.",
    "I understand how it can be.",
)
QUESTIONS = (
    "What's going on?",
    "What happened?",
    "Why?",
    "What's wrong?",
    "Why do you feel that way?",
    "What makes you say that?",
    "Can you tell us more?",
    "Tell me more about it.",
    "What's up?",
    "Do you want to talk about it?",
    "What's on your mind?",
    "How come?",
    "Could you explain a bit more?",
    "What do you mean?",
    "Anything in particular?",
    "What is troubling you?",
)
KINDS = ((1, CLAIMS), (2, QUESTIONS))  # place in MECHANISMS, sentences


def added(examples: Sequence[Example], share: float, seed: int) -> list[Example]:
    """`share` as many further examples for each of the two mechanisms, from replies that lack it."""
    chance = random.Random(seed)  # noqa: S311 - a draw, not a secret
    found = []
    for mechanism, sentences in KINDS:
        lacking = [one for one in examples if one.levels[mechanism] == 0]
        chosen = chance.sample(lacking, min(len(lacking), round(share * len(examples))))
        found += [_with(one, mechanism, chance.choice(sentences), first=chance.random() < 0.6) for one in chosen]
    return found


def _with(one: Example, mechanism: int, sentence: str, *, first: bool) -> Example:
    parts = [sentence, one.pair.response] if first else [one.pair.response, sentence]
    levels: Levels = tuple(1 if m == mechanism else level for m, level in enumerate(one.levels))  # type: ignore[assignment]
    rationales = tuple((sentence,) if m == mechanism else found for m, found in enumerate(one.rationales))
    return replace(one, pair=Pair(one.pair.seeker, " ".join(parts)), levels=levels, rationales=rationales)
