"""What all bots of one run share: the study, how drafts are chosen, and what one learns of another."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from analysis.bots import words
from analysis.bots.characters import Character
from analysis.bots.planting import LEVELS_OF_ABILITY, Planting, authored, tilted
from trial.models import Participant, Study
from trial.protocol import Protocol


def posts_of(study: Study) -> list[str]:
    """The texts of the study's posts, in the order that planted scores are in."""
    return list(study.posts.order_by("pk").values_list("text", flat=True))


@dataclass
class Setting:
    """`planting` is given where drafts come from the bank by tilted chances (`light`).

    `private_pages`: for each bot by name, the newest address that is nobody else's to open.
    """

    study: Study
    seed: int
    planting: Planting | None = None
    no_worker: bool = False
    private_pages: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_text = {" ".join(text.split()): n for n, text in enumerate(posts_of(self.study))}
        self._run = Participant.objects.filter(study=self.study, simulated=True).count()

    @property
    def light(self) -> bool:
        return self.planting is not None

    @property
    def protocol(self) -> Protocol:
        return self.study.protocol

    @property
    def arm_words(self) -> tuple[str, ...]:
        return tuple(arm.label for arm in self.protocol.arms)

    def email(self, number: int) -> str:
        """Another address for every bot of every run in this database."""
        return f"bot-{self._run + number}-{self.seed}@bots.invalid"

    def post(self, shown: str) -> int | None:
        """Which of `posts_of` this is, from its words on the page."""
        return self._by_text.get(" ".join(shown.split()))


@dataclass
class Drafting:
    """How one bot chooses its drafts: by planted chances, or by its character."""

    setting: Setting
    character: Character
    chance: random.Random

    def __post_init__(self) -> None:
        self.ability = self.chance.randrange(LEVELS_OF_ABILITY)

    @property
    def confidence(self) -> float:
        """From -1 to 1 by ability; not seldom wrong about itself, as people are."""
        return 2 * self.ability / (LEVELS_OF_ABILITY - 1) - 1 + self.chance.gauss(0, 0.5)

    def draft(self, post: int, *, helped: bool) -> str:
        planting = self.setting.planting
        if planting is not None:
            return self._pick(words.BANK, planting.chances(post, self.ability, helped=helped).tolist())
        drafts = [d for d in words.BANK if not self.character.short or len(d.text) <= words.SHORT]
        levels = authored([draft.level for draft in drafts], 1)[0]
        return self._pick(drafts, tilted(levels, self.character.tilt).tolist())

    def _pick(self, drafts: Sequence[words.Draft], chances: Sequence[float]) -> str:
        return self.chance.choices(drafts, chances)[0].text
