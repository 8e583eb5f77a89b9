"""Small helpers of the tests that allocate."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from trial.models import Allocation, Participant, Study, SurveyResponse
from trial.progress import State
from trial.services import allocation, studies


def somebody(study: Study, difficulty: str = "", **facts: Any) -> Participant:
    """A participant in training with the pre-survey submitted."""
    assert study.current_version is not None
    facts = {"state": State.TRAINING, **facts}
    person = Participant.objects.create(study=study, version=study.current_version, **facts)
    level = difficulty or study.protocol.stratum_item("pre.difficulty").options[0].value
    SurveyResponse.objects.create(
        participant=person, survey="pre", answers={"difficulty": level}, submitted_at=timezone.now()
    )
    return person


def allocated(study: Study, count: int) -> list[Allocation]:
    levels = [option.value for option in study.protocol.stratum_item("pre.difficulty").options]
    people = [somebody(study, levels[n % len(levels)]) for n in range(count)]
    return [allocation.allocate(participant=person) for person in people]


def set_state(study: Study, state: str) -> None:
    Study.objects.filter(pk=study.pk).update(state=state)
    study.refresh_from_db()


def locked(study: Study) -> Study:
    studies.act(study=study, name="close")
    return studies.act(study=study, name="lock")


def alter(position: int, column: str, value: str) -> None:
    """Change a row the way somebody with the database's password could."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE trial_allocation SET {column} = %s WHERE position = %s", [value, position])


def code_of(refused: pytest.ExceptionInfo[Any]) -> str:
    return str(refused.value.code)
