"""A scorer that counts words, and whole trials of people, for the tests of the analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from ml.types import Distribution, Pair, Release, Score
from tests import builders
from trial.models import Participant, Reply, StateChange, Study, SurveyResponse
from trial.progress import WAY, State
from trial.services import allocation

WORDS = ("sorry", "sounds", "what")
WORD_RELEASE = Release("words", "1", "0" * 64)
LEVELS: tuple[Distribution, ...] = ((0.9, 0.1, 0.0), (0.1, 0.8, 0.1), (0.0, 0.1, 0.9))


@dataclass
class WordScorer:
    """Level of a mechanism = how often its word stands in the reply, at most 2."""

    release: Release = WORD_RELEASE
    seen: list[Pair] = field(default_factory=list)

    def score(self, pairs: Sequence[Pair]) -> list[Score]:
        self.seen += pairs
        return [self._score(pair.response) for pair in pairs]

    def _score(self, text: str) -> Score:
        er, ip, ex = (min(2, text.lower().split().count(word)) for word in WORDS)
        return Score((er, ip, ex), (LEVELS[er], LEVELS[ip], LEVELS[ex]))


def reply_text(levels: Sequence[int]) -> str:
    return " ".join(["well", *(word for word, n in zip(WORDS, levels, strict=True) for _ in range(n))])


@dataclass(frozen=True)
class Plant:
    """What a trial shall look like: `effect` is added to the total by being in the arm with feedback."""

    people: int = 40
    effect: float = 0.0
    seed: int = 1
    simulated: bool = True
    replies: int = 10
    finish: bool = True
    flat: bool = False


@transaction.atomic
def grow(study: Study, plant: Plant) -> list[Participant]:
    """People who went through a trial, allocated by the real allocator."""
    random = np.random.default_rng(plant.seed)
    posts = list(study.posts.order_by("pk"))
    return [_grow(study, plant, random, posts) for _ in range(plant.people)]


def _grow(study: Study, plant: Plant, random: np.random.Generator, posts: list[Any]) -> Participant:
    person = _ready(study, random, simulated=plant.simulated)
    arm = allocation.allocate(participant=person).arm
    treated = study.protocol.arm(arm).intervention == "feedback"
    own, now = random.normal(0, 0.2), timezone.now()
    replies: list[Reply] = []
    for place, index in enumerate(random.permutation(len(posts))[: plant.replies], 1):
        latent = 0.6 + own + plant.effect * treated / 3 + random.normal(0, 0.5, 3)
        levels = [1, 1, 0] if plant.flat else [int(level) for level in np.clip(np.round(latent), 0, 2)]
        replies.append(
            Reply(
                participant=person,
                post=posts[index],
                position=place,
                text=reply_text(levels),
                first_shown_at=now,
                submitted_at=now + timedelta(seconds=60),
            )
        )
    Reply.objects.bulk_create(replies)
    if plant.finish:
        _finish(study, person, random, "feedback" if treated else "none")
    else:
        person.state = State.WRITING
        person.save()
    return person


def _ready(study: Study, random: np.random.Generator, *, simulated: bool) -> Participant:
    assert study.current_version is not None
    person = Participant.objects.create(
        study=study,
        version=study.current_version,
        user=builders.user(),
        state=State.TRAINING,
        simulated=simulated,
        source="link",
    )
    answers = builders.answers(study.protocol.surveys["pre"]) | _likerts(study, "pre", random)
    answers["difficulty"] = "challenging" if random.random() < 0.4 else "not_challenging"
    answers["gender_words"] = "a word nobody else may read"
    _submit(person, "pre", answers)
    StateChange.objects.bulk_create(StateChange(participant=person, state=s) for s in WAY[:5])
    return person


def _finish(study: Study, person: Participant, random: np.random.Generator, intervention: str) -> None:
    given = builders.answers(study.protocol.surveys["post"], intervention)
    given |= {code: value for code, value in _likerts(study, "post", random).items() if code in given}
    given["confidence_change"] = str(random.choice(["more", "same"]))
    given["difficulty_now"] = str(random.choice(["challenging", "not_challenging"]))
    _submit(person, "post", given)
    person.state = State.COMPLETED
    person.save()


def _likerts(study: Study, survey: str, random: np.random.Generator) -> dict[str, int]:
    items = study.protocol.surveys[survey].items  # type: ignore[index]
    return {item.code: int(random.integers(2, 7)) for item in items if item.kind == "likert"}


def _submit(person: Participant, survey: str, answers: dict[str, Any]) -> None:
    SurveyResponse.objects.create(participant=person, survey=survey, answers=answers, submitted_at=timezone.now())
