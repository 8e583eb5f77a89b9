"""Runs a cast of bots through a study and says how each fared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from analysis.bots.characters import Character
from analysis.bots.endings import problems, unanswered
from analysis.bots.engine import UnexpectedPageError
from analysis.bots.journey import Bot
from analysis.bots.setting import Setting

MAX_BROKEN = 10
# A busy machine may leave a request unanswered now and then; the site is made for that, a trial is not.
MAX_UNANSWERED = 0.1


@dataclass(frozen=True)
class Fared:
    """One bot's run: what went wrong, if anything, and what it did."""

    character: Character
    problems: tuple[str, ...]
    pages: int
    taps: int
    taken: int
    flagged: int
    unanswered: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass
class Outcome:
    """How everybody fared; `stopped` when so much was broken that going on made no sense."""

    fared: list[Fared] = field(default_factory=list)
    stopped: bool = False

    @property
    def ok(self) -> bool:
        return not self.stopped and all(one.ok for one in self.fared) and self.help_works

    @property
    def taps(self) -> int:
        return sum(one.taps for one in self.fared)

    @property
    def unanswered(self) -> Counter[str]:
        """How many requests got no answer, by reason."""
        return Counter(error for one in self.fared for error in one.unanswered)

    @property
    def help_works(self) -> bool:
        return self.unanswered.total() <= MAX_UNANSWERED * self.taps

    @property
    def pages(self) -> int:
        return sum(one.pages for one in self.fared)

    def by_character(self) -> dict[Character, list[Fared]]:
        names = Counter(one.character for one in self.fared)
        return {c: [one for one in self.fared if one.character == c] for c in names}


def simulate(
    setting: Setting,
    players: Sequence[Character],
    *,
    done: Callable[[Fared], object] = lambda _: None,
) -> Outcome:
    """Let each take part, one after the other; a bot that meets something unexpected stops there."""
    outcome = Outcome()
    broken = 0
    for number, character in enumerate(players, 1):
        fared = _one(Bot(setting, number, character))
        outcome.fared.append(fared)
        done(fared)
        broken += not fared.ok
        if broken >= MAX_BROKEN:
            outcome.stopped = len(outcome.fared) < len(players)
            break
    return outcome


def _one(bot: Bot) -> Fared:
    try:
        bot.take_part()
        found = [f"bot {bot.number} ({bot.character.name}): {problem}" for problem in problems(bot)]
    except UnexpectedPageError as error:
        found = [str(error)]
    writing = bot.writing
    return Fared(
        character=bot.character,
        problems=tuple(found),
        pages=bot.pages_seen,
        taps=writing.taps,
        taken=writing.taken,
        flagged=writing.flagged,
        unanswered=unanswered(bot),
    )
