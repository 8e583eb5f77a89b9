"""Whether a bot ended as its character should: its state, and that the study holds what it sent."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.bots.characters import Trait
from analysis.bots.journey import Bot
from feedback.models import FeedbackFlag, FeedbackRequest, Suggestion
from trial.models import Allocation, Participant
from trial.progress import State

RANDOMISED_LATER = (State.PRE_SURVEY, State.TRAINING)


def problems(bot: Bot) -> list[str]:
    """What is not as it should be with this bot, in words; empty when all is well."""
    person = Participant.objects.filter(pk=bot.participant).first()
    if person is None:
        return ["the participant is gone"]
    return [*_state(bot, person), *_replies(bot, person), *_traces(bot, person)]


def _state(bot: Bot, person: Participant) -> Iterator[str]:
    if person.state != bot.character.end:
        yield f"is at {person.state}, not at {bot.character.end}"
    if not person.simulated:
        yield "is not marked as simulated"
    if bool(person.erased_at) != bot.has(Trait.ERASES):
        yield "is erased" if person.erased_at else "is not erased"
    states = list(person.changes.values_list("state", flat=True))
    if len(states) != len(set(states)):
        yield "entered a state twice"
    randomised = bot.character.end not in (State.INELIGIBLE, State.DECLINED)
    expected = int(randomised and bot.stops_at not in RANDOMISED_LATER)
    if (count := Allocation.objects.filter(participant=person).count()) != expected:
        yield f"has {count} allocations, not {expected}"


def _replies(bot: Bot, person: Participant) -> Iterator[str]:
    stored = dict(person.replies.submitted().values_list("position", "text"))
    sent = {} if bot.has(Trait.ERASES) else bot.writing.sent
    if stored != sent:
        wrong = sorted(p for p in {*stored, *sent} if stored.get(p) != sent.get(p))
        yield f"replies {wrong} are not stored as they were sent"


def _traces(bot: Bot, person: Participant) -> Iterator[str]:
    if person.safety_events.exists() != bot.has(Trait.WORRIES):
        yield "has no safety event" if bot.has(Trait.WORRIES) else "has a safety event"
    requests = FeedbackRequest.objects.filter(reply__participant=person)
    if requests.open().exists():
        yield "left a request for feedback open"
    if bot.has(Trait.ERASES):
        return
    flags = FeedbackFlag.objects.filter(request__in=requests).count()
    if flags != bot.writing.flagged or (bot.has(Trait.FLAGS) and bot.writing.taps and not flags):
        yield f"has {flags} flags, not {bot.writing.flagged}"
    taken = Suggestion.objects.filter(request__in=requests, accepted_at__isnull=False).count()
    if taken != bot.writing.taken:
        yield f"has {taken} accepted suggestions, not {bot.writing.taken}"


def unanswered(bot: Bot) -> tuple[str, ...]:
    """Why requests for help that this bot waited for got no answer: its writing goes on all the same."""
    requests = FeedbackRequest.objects.filter(reply__participant=bot.participant)
    return tuple(requests.filter(status__in=("failed", "expired")).values_list("error", flat=True))
