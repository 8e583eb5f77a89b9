"""Small builders that make studies, people and roles through the real services."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group

from trial import progress
from trial.models import Participant, Study, User
from trial.permissions import create_roles
from trial.progress import State
from trial.protocol import Item, Survey
from trial.services import flow, replies, studies
from trial.services.allocation import intervention_of

HAILEY = Path(__file__).resolve().parent.parent / "protocols" / "hailey"
_numbers = count(1)


def study(*, opened: bool = True, folder: Path = HAILEY) -> Study:
    """The study of a folder, loaded and open."""
    version, _ = studies.load_protocol(folder=folder)
    if opened and version.study.state == Study.State.DRAFT:
        return studies.act(study=version.study, name="open")
    return version.study


def user(email: str = "") -> User:
    return User.objects.create_user(email or f"person{next(_numbers)}@example.org")


def staff(*roles: str) -> User:
    create_roles()
    member = User.objects.create_user(f"staff{next(_numbers)}@example.org", "secret-enough", is_staff=True)
    member.groups.set(Group.objects.filter(name__in=roles))
    return member


def answer(item: Item) -> Any:
    """A valid answer to one item."""
    values = {
        "likert": 4,
        "number": max(item.minimum or 0, 30),
        "text": "Nothing to add.",
        "attention": item.correct,
    }
    if item.kind == "multiple":
        return [item.options[0].value]
    return values[item.kind] if item.kind in values else item.options[0].value


def answers(survey: Survey, intervention: str = "none") -> dict[str, Any]:
    return {item.code: answer(item) for item in survey.items if item.shown_to(intervention)}


def eligible_answers(where: Study) -> dict[str, Any]:
    protocol = where.protocol
    given = answers(protocol.eligibility.survey)
    given |= {rule.item: rule.values[0] for rule in protocol.eligibility.rules if rule.values}
    return given


def participant(
    where: Study, *, state: State = State.WRITING, intervention: str | None = None, difficulty: str = ""
) -> Participant:
    """Somebody who has come as far as `state`; with an intervention, somebody allocated to it."""
    for _ in range(200):
        person = flow.begin(study=where)
        _advance(person, state, difficulty)
        person.refresh_from_db()
        if intervention is None or intervention_of(person) == intervention:
            return person
    raise AssertionError(f"nobody was allocated to {intervention}")


def _advance(person: Participant, target: State, difficulty: str) -> None:
    order = list(progress.WAY)
    for state in order[: order.index(target)]:
        STEPS[state](person, difficulty)


def _screen(person: Participant, difficulty: str) -> None:
    flow.answer_screening(participant=person, answers=eligible_answers(person.study))


def _survey_before(person: Participant, difficulty: str) -> None:
    given = answers(person.study.protocol.surveys["pre"])
    if difficulty:
        given["difficulty"] = difficulty
    flow.submit_survey(participant=person, survey="pre", answers=given)


def _survey_after(person: Participant, difficulty: str) -> None:
    given = answers(person.study.protocol.surveys["post"], intervention_of(person))
    flow.submit_survey(participant=person, survey="post", answers=given)


STEPS: dict[State, Callable[[Participant, str], Any]] = {
    State.SCREENING: _screen,
    State.CONSENT: lambda person, _: flow.decide_consent(participant=person, agreed=True),
    State.ACCOUNT: lambda person, _: flow.link_account(participant=person, user=user()),
    State.PRE_SURVEY: _survey_before,
    State.TRAINING: lambda person, _: train(person),
    State.INSTRUCTIONS: lambda person, _: flow.begin_writing(participant=person),
    State.WRITING: lambda person, _: write_all(person),
    State.POST_SURVEY: _survey_after,
    State.DEBRIEF: lambda person, _: flow.finish(participant=person),
}


def train(person: Participant) -> None:
    for page in person.study.protocol.training:
        flow.answer_training(participant=person, page=page.code, answer=page.check.answer if page.check else "")


def write_all(person: Participant, text: str = "That sounds hard. I am sorry you are going through this.") -> None:
    while (reply := replies.current(person)) is not None:
        replies.submit(reply=reply, text=text)
