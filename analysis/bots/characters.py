"""The cast: who takes part in a simulated trial, how they behave, and where each must end."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from trial.progress import State


class Trait(StrEnum):
    """Something that a bot does which others do not."""

    UNDER_AGE = "answers with an age below the limit"
    UNSAFE = "says that they are not safe at present"
    DECLINES = "says no to consent"
    LEAVES = "closes the browser half-way through the posts"
    STOPS = "leaves the study by its link"
    ERASES = "leaves and has everything erased"
    WORRIES = "writes something that the crisis screen must notice"
    FLAGS = "complains about feedback, where there is any"
    RETURNS = "goes on with a mailed code on another device"
    DOUBLE_CLICKS = "sends every form twice"
    INATTENTIVE = "does not read the questions"


class Attempt(StrEnum):
    """Something that must fail, kindly, and change nothing."""

    NO_ANSWERS = "sends a survey with nothing in it"
    WRONG_ANSWER = "gets a comprehension check wrong at first"
    EMPTY_REPLY = "sends a reply of spaces"
    REPLAY = "sends an old form again"
    WRONG_METHOD = "opens an address that only takes forms"
    JUMP = "types the address of a later page"
    SNOOP = "opens pages that belong to others"


@dataclass(frozen=True)
class Character:
    """`share`: how many of sixty. `tilt`: towards empathic (above 0) or cold drafts; `asks` and
    `accepts`: how likely a tap for help at a post, and taking what is suggested."""

    name: str
    share: int
    end: State
    story: str
    tilt: float = 0.0
    asks: float = 0.4
    accepts: float = 0.5
    short: bool = False
    traits: frozenset[Trait] = frozenset()
    attempts: frozenset[Attempt] = frozenset()


def _traits(*traits: Trait) -> frozenset[Trait]:
    return frozenset(traits)


CAST: tuple[Character, ...] = (
    Character("able", 14, State.COMPLETED, "writes well and rarely asks for help", tilt=0.5, asks=0.15),
    Character(
        "struggling",
        14,
        State.COMPLETED,
        "writes cool, short drafts, asks often and takes most suggestions",
        tilt=-0.9,
        asks=0.7,
        accepts=0.85,
        attempts=frozenset({Attempt.WRONG_ANSWER, Attempt.EMPTY_REPLY}),
    ),
    Character(
        "skims",
        5,
        State.COMPLETED,
        "answers in few words and does not read the questions",
        asks=0.1,
        short=True,
        traits=_traits(Trait.INATTENTIVE),
        attempts=frozenset({Attempt.NO_ANSWERS}),
    ),
    Character(
        "leaves",
        4,
        State.WRITING,
        "closes the browser half-way through the posts",
        traits=_traits(Trait.LEAVES),
    ),
    Character("declines", 4, State.DECLINED, "says no to consent", traits=_traits(Trait.DECLINES)),
    Character("ineligible", 3, State.INELIGIBLE, "is too young", traits=_traits(Trait.UNDER_AGE)),
    Character("unsafe", 2, State.INELIGIBLE, "is having a very hard time", traits=_traits(Trait.UNSAFE)),
    Character("withdraws", 3, State.WITHDRAWN, "stops, and keeps what was given", traits=_traits(Trait.STOPS)),
    Character(
        "erases",
        2,
        State.WITHDRAWN,
        "stops, and has it all erased",
        traits=_traits(Trait.STOPS, Trait.ERASES),
    ),
    Character(
        "flags",
        3,
        State.COMPLETED,
        "complains about feedback, where there is any",
        tilt=-0.6,
        asks=0.5,
        accepts=0.2,
        traits=_traits(Trait.FLAGS),
    ),
    Character(
        "worries",
        2,
        State.COMPLETED,
        "writes something that worries the screen",
        traits=_traits(Trait.WORRIES),
    ),
    Character(
        "returns",
        2,
        State.COMPLETED,
        "goes on with a mailed code on another device",
        traits=_traits(Trait.RETURNS),
        attempts=frozenset({Attempt.SNOOP, Attempt.JUMP}),
    ),
    Character(
        "doubles",
        2,
        State.COMPLETED,
        "sends every form twice",
        traits=_traits(Trait.DOUBLE_CLICKS),
        attempts=frozenset({Attempt.REPLAY, Attempt.WRONG_METHOD}),
    ),
)
NAMES = tuple(character.name for character in CAST)
# How likely anybody tries any one thing that must fail, beside what belongs to their character.
MISCHIEF = 0.15


def cast(count: int, seed: int, only: Sequence[str] = ()) -> list[Character]:
    """`count` characters by their shares (or of the named ones, evenly), in a seeded order."""
    chosen = [character for character in CAST if not only or character.name in only]
    shares = [1 if only else character.share for character in chosen]
    players = [c for c, n in zip(chosen, apportion(shares, count), strict=True) for _ in range(n)]
    random.Random(f"cast/{seed}").shuffle(players)  # noqa: S311
    return players


def apportion(shares: Sequence[int], count: int) -> list[int]:
    """`count` split by shares, by largest remainders."""
    exact = [share * count / sum(shares) for share in shares]
    whole = [int(part) for part in exact]
    by_remainder = sorted(range(len(shares)), key=lambda i: (whole[i] - exact[i], i))
    for i in by_remainder[: count - sum(whole)]:
        whole[i] += 1
    return whole


def attempts(character: Character, chance: random.Random) -> frozenset[Attempt]:
    """What this bot will try that must fail."""
    return character.attempts | {attempt for attempt in Attempt if chance.random() < MISCHIEF}
