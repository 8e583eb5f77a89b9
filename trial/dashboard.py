"""What the dashboard shows, counted without arms; other apps add sections through `register`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils import timezone

from trial import progress
from trial.models import Participant, StateChange, Study
from trial.progress import State

WIDTH, HEIGHT = 360, 140


@dataclass(frozen=True)
class Step:
    """One step of the funnel: how many reached it, are there now, and left from it."""

    state: State
    reached: int
    here: int
    left: int
    share: float


@dataclass(frozen=True)
class Section:
    """A table of the dashboard that another app supplies. No row may depend on the arm."""

    title: str
    rows: tuple[tuple[str, str], ...]
    note: str = ""


@dataclass(frozen=True)
class Enrolment:
    """Cumulative allocations per day as points of an SVG polyline, from none on the day before, and the target."""

    total: int
    target: int
    points: str
    first: date | None
    last: date | None
    days: tuple[tuple[date, int], ...]


SectionSource = Callable[[Study, bool], Section]
_sources: list[SectionSource] = []


def register(source: SectionSource) -> None:
    _sources.append(source)


def sections(study: Study, *, simulated: bool) -> list[Section]:
    return [source(study, simulated) for source in _sources]


def funnel(study: Study, *, simulated: bool) -> list[Step]:
    """Every step of the way with its losses; reached = gone on + here + left from here."""
    people = Participant.objects.filter(study=study, simulated=simulated).exclude(state=State.DUPLICATE)
    reached = dict(
        StateChange.objects.filter(participant__in=people).values_list("state").annotate(n=Count("participant"))
    )
    now = dict(people.values_list("state").annotate(n=Count("pk")))
    top = max(reached.get(State.SCREENING, 0), 1)
    steps = []
    for state, after in zip(progress.WAY, [*progress.WAY[1:], None], strict=True):
        count, here = reached.get(state, 0), now.get(state, 0)
        onwards = reached.get(after, 0) if after else 0
        steps.append(Step(state, count, here, count - here - onwards, count / top))
    return steps


def endings(study: Study, *, simulated: bool) -> list[tuple[str, int]]:
    """How many ended in each way other than completing."""
    counts = dict(
        Participant.objects.filter(study=study, simulated=simulated).values_list("state").annotate(n=Count("pk"))
    )
    states = (State.INELIGIBLE, State.DECLINED, State.WITHDRAWN, State.TIMED_OUT, State.DUPLICATE)
    return [(state.label, counts.get(state, 0)) for state in states]


def enrolment(study: Study, *, simulated: bool) -> Enrolment:
    """Allocated participants over time against the target."""
    rows = (
        StateChange.objects.filter(
            participant__study=study, participant__simulated=simulated, state=progress.ALLOCATED_FROM
        )
        .annotate(day=TruncDate("at"))
        .values_list("day")
        .annotate(n=Count("pk"))
        .order_by("day")
    )
    days = tuple((day, n) for day, n in rows)
    total = sum(n for _, n in days)
    target = study.protocol.target
    first = days[0][0] - timedelta(days=1) if days else None
    last = max(timezone.localdate(), days[-1][0]) if days else None
    return Enrolment(total, target, _points(days, first, last, max(target, total)), first, last, days)


def _points(days: Iterable[tuple[date, int]], first: date | None, last: date | None, top: int) -> str:
    if first is None or last is None:
        return ""
    span = max((last - first).days, 1)
    per_day = dict(days)
    dates = [first + timedelta(days=n) for n in range(span + 1)]
    heights = accumulate(per_day.get(day, 0) for day in dates)
    return " ".join(f"{n * WIDTH / span:.1f},{HEIGHT - height * HEIGHT / top:.1f}" for n, height in enumerate(heights))


def data_quality(study: Study, *, simulated: bool) -> Section:
    """Counts that tell a coordinator whether the data will be usable."""
    people = Participant.objects.filter(study=study, simulated=simulated)
    replies = [
        len(text.split())
        for text in people.filter(replies__submitted_at__isnull=False).values_list("replies__text", flat=True)
    ]
    short = sum(words < 3 for words in replies)
    attempts = people.filter(checks__correct=False).distinct().count()
    return Section(
        "Data quality",
        (
            ("Replies sent", f"{len(replies)}"),
            ("Replies of fewer than three words", f"{short}"),
            ("Median words per reply", f"{sorted(replies)[len(replies) // 2]}" if replies else "–"),
            ("Failed an attention check", f"{_failed_attention(study, simulated=simulated)}"),
            ("Needed a second try at a training check", f"{attempts}"),
        ),
    )


def _failed_attention(study: Study, *, simulated: bool) -> int:
    protocol = study.protocol
    checks = {
        (name, item.code): item.correct
        for name, survey in protocol.surveys.items()
        for item in survey.items
        if item.kind == "attention"
    }
    failed = set()
    people = Participant.objects.filter(study=study, simulated=simulated)
    rows = people.filter(responses__submitted_at__isnull=False).values_list(
        "pk", "responses__survey", "responses__answers"
    )
    for pk, survey, answers in rows:
        for (name, code), correct in checks.items():
            if name == survey and code in answers and answers[code] != correct:
                failed.add(pk)
    return len(failed)


register(lambda study, simulated: data_quality(study, simulated=simulated))
