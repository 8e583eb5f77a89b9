"""The allow-listed frames of a snapshot: what leaves the database, column by column, and what each means.

No address, no account, no free text. Before the lock also nothing that one arm alone has: neither
exposure to feedback nor questions that one arm alone is asked, not even how many answered them,
since that number could be matched with an arm's size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from django.db.models import Avg, Count, Q

from analysis import surveys
from analysis.blinding import Arms
from analysis.models import ReplyScore
from feedback.models import FeedbackRequest, Suggestion
from trial import progress
from trial.models import Participant, Reply, StateChange, Study, SurveyResponse
from trial.protocol import Protocol
from trial.questions import Item, Scale

COLUMNS: dict[str, dict[str, str]] = {
    "participants": {
        "participant": "Random code of the participant",
        "arm": "Arm as named in the manifest",
        "stratum": "Stratum at allocation",
        "state": "State when the data were frozen",
        "source": "Where the participant came from",
        "country": "Country chosen for crisis resources",
        "erased": "Whether the participant asked that what they gave be erased",
    },
    "disposition": {
        "participant": "Random code; everybody who started, randomised or not",
        "state": "State when the data were frozen",
        "last_step": "Last step of the way that was entered",
        "randomised": "Whether allocated to an arm",
    },
    "replies": {
        "participant": "Random code of the participant",
        "post": "Code of the post",
        "topic": "Topic of the post",
        "position": "Place of the post in the participant's order, from 1",
        "characters": "Length of the reply in characters",
        "words": "Length of the reply in words",
        "shown_at": "When the post was first shown (UTC)",
        "submitted_at": "When the reply was submitted (UTC)",
        "seconds": "Seconds from first shown to submitted, breaks included",
    },
    "scores": {
        "participant": "Random code of the participant",
        "post": "Code of the post",
        "er": "Emotional reactions, 0-2",
        "ip": "Interpretations, 0-2",
        "ex": "Explorations, 0-2",
        "empathy": "Expressed empathy, 0-6: sum of the three levels",
        "empathy_expected": "Sum of the three expected levels, 0-6",
    },
    "exposure": {
        "participant": "Random code of the participant",
        "requests": "Requests for feedback",
        "answered": "Requests that were answered",
        "failed": "Requests that failed or expired",
        "suggestions": "Suggestions made",
        "accepted": "Suggestions inserted by a tap",
        "kept": "Mean share of a suggestion's words that stands in the submitted reply, 0-1",
        "flags": "Complaints about feedback",
    },
}


def build(*, study: Study, arms: Arms, simulated: bool, release: str) -> dict[str, pd.DataFrame]:
    """All frames of one snapshot, rows in a fixed order."""
    everybody = Participant.objects.filter(study=study, simulated=simulated).order_by("code")
    kept = dict(everybody.filter(pk__in=list(arms.members)).values_list("pk", "code"))
    frames = {
        "participants": _participants(everybody, arms),
        "disposition": _disposition(everybody, arms),
        "surveys": _surveys(study.protocol, kept, with_restricted=not arms.blinded),
        "replies": _replies(kept),
        "scores": _scores(kept, release),
    }
    if not arms.blinded:
        frames["exposure"] = _exposure(kept)
    return frames


def codebook(frames: dict[str, pd.DataFrame], protocol: Protocol) -> dict[str, list[dict[str, Any]]]:
    """Every column of every frame with its meaning, and for survey answers their text and values."""
    questions = surveys.columns(protocol, with_restricted=True)
    return {
        name: [_describe(name, column, frame, questions) for column in frame.columns] for name, frame in frames.items()
    }


def _describe(frame: str, column: str, data: pd.DataFrame, questions: dict[str, Item | Scale]) -> dict[str, Any]:
    entry: dict[str, Any] = {"column": column, "type": str(data[column].dtype)}
    part = questions.get(column)
    if frame != "surveys" or part is None:
        return entry | {"meaning": COLUMNS.get(frame, {}).get(column, "Random code of the participant")}
    if isinstance(part, Scale):
        return entry | {
            "meaning": part.title,
            "items": list(part.items),
            "range": _range(questions, column, part),
        }
    entry["kind"] = part.kind
    values = {option.value: option.label for option in part.options}
    if part.kind == "likert":
        entry["range"] = [1, part.points]
        values = {"1": part.low, str(part.points): part.high}
    return entry | {"meaning": part.text, "values": values, "reverse": part.reverse}


def _range(questions: dict[str, Item | Scale], column: str, scale: Scale) -> list[int]:
    survey = column.partition(".")[0]
    items = (questions.get(f"{survey}.{code}") for code in scale.items)
    return [1, max(item.points for item in items if isinstance(item, Item))]


def _frame(name: str, rows: Iterable[Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(COLUMNS[name]))


def _participants(everybody: Any, arms: Arms) -> pd.DataFrame:
    rows = everybody.filter(pk__in=list(arms.members)).values_list(
        "pk", "code", "state", "source", "country", "erased_at"
    )
    return _frame(
        "participants",
        (
            (code, *arms.members[pk], state, source, country, erased is not None)
            for pk, code, state, source, country, erased in rows
        ),
    )


def _disposition(everybody: Any, arms: Arms) -> pd.DataFrame:
    order = {str(state): place for place, state in enumerate(progress.WAY)}
    last: dict[int, str] = {}
    changes = StateChange.objects.filter(participant__in=everybody).values_list("participant_id", "state")
    for pk, state in changes:
        if order.get(state, -1) >= order.get(last.get(pk, ""), -1) and state in order:
            last[pk] = state
    rows = everybody.values_list("pk", "code", "state")
    return _frame(
        "disposition",
        ((code, state, last.get(pk, str(progress.WAY[0])), pk in arms.members) for pk, code, state in rows),
    )


def _surveys(protocol: Protocol, kept: dict[int, str], *, with_restricted: bool) -> pd.DataFrame:
    wanted = surveys.columns(protocol, with_restricted=with_restricted)
    answers = _answers(kept)
    rows = []
    for pk, code in sorted(kept.items(), key=lambda pair: pair[1]):
        row: dict[str, Any] = {"participant": code}
        for key in surveys.SURVEYS:
            row[f"{key}.submitted"] = (pk, key) in answers
        for name, part in wanted.items():
            key = name.partition(".")[0]
            row[name] = surveys.value(protocol.survey(key), part, answers.get((pk, key), {}))
        rows.append(row)
    names = ["participant", *(f"{key}.submitted" for key in surveys.SURVEYS), *wanted]
    return _typed(pd.DataFrame(rows, columns=names), wanted)


def _typed(frame: pd.DataFrame, wanted: dict[str, Item | Scale]) -> pd.DataFrame:
    """Numbers stay numbers and texts texts even where nobody answered."""
    for name, part in wanted.items():
        numeric = isinstance(part, Scale) or part.kind in surveys.NUMERIC
        frame[name] = frame[name].astype("float64" if numeric else "str")
    return frame


def _answers(kept: dict[int, str]) -> dict[tuple[int, str], dict[str, Any]]:
    rows = SurveyResponse.objects.filter(
        participant_id__in=list(kept), survey__in=surveys.SURVEYS, submitted_at__isnull=False
    )
    return {(pk, survey): answers for pk, survey, answers in rows.values_list("participant_id", "survey", "answers")}


def _replies(kept: dict[int, str]) -> pd.DataFrame:
    rows = Reply.objects.submitted().filter(participant_id__in=list(kept))
    values = rows.values_list(
        "participant_id", "post__code", "post__topic", "position", "text", "first_shown_at", "submitted_at"
    )
    frame = _frame(
        "replies",
        (
            (
                kept[pk],
                post,
                topic,
                position,
                len(text),
                len(text.split()),
                shown,
                submitted,
                _seconds(shown, submitted),
            )
            for pk, post, topic, position, text, shown, submitted in values.iterator()
        ),
    )
    for column in ("shown_at", "submitted_at"):
        frame[column] = pd.to_datetime(frame[column], utc=True)
    return frame.sort_values(["participant", "position"], ignore_index=True)


def _seconds(shown: Any, submitted: Any) -> float | None:
    return (submitted - shown).total_seconds() if shown and submitted else None


def _scores(kept: dict[int, str], release: str) -> pd.DataFrame:
    rows = ReplyScore.objects.filter(
        release=release, reply__participant_id__in=list(kept), reply__submitted_at__isnull=False
    ).values_list("reply__participant_id", "reply__post__code", "er", "ip", "ex", "total", "expected_total")
    frame = _frame("scores", ((kept[pk], *rest) for pk, *rest in rows.iterator()))
    return frame.sort_values(["participant", "post"], ignore_index=True)


def _exposure(kept: dict[int, str]) -> pd.DataFrame:
    """Who asked for feedback, and what became of it; participants who never asked have zeros."""
    requests = _by_participant(
        FeedbackRequest.objects.filter(reply__participant_id__in=list(kept)).values_list("reply__participant_id"),
        requests=Count("pk"),
        answered=Count("pk", filter=Q(status="done")),
        failed=Count("pk", filter=Q(status__in=["failed", "expired"])),
        flags=Count("flag"),
    )
    suggestions = _by_participant(
        Suggestion.objects.filter(request__reply__participant_id__in=list(kept)).values_list(
            "request__reply__participant_id"
        ),
        suggestions=Count("pk"),
        accepted=Count("accepted_at"),
        kept=Avg("kept"),
    )
    return _frame("exposure", (_exposure_row(pk, code, requests, suggestions) for pk, code in _by_code(kept)))


def _by_code(kept: dict[int, str]) -> list[tuple[int, str]]:
    return sorted(kept.items(), key=lambda pair: pair[1])


def _by_participant(rows: Any, **totals: Any) -> dict[int, dict[str, Any]]:
    counted = rows.order_by().annotate(**totals)
    return {row[0]: dict(zip(totals, row[1:], strict=True)) for row in counted}


def _exposure_row(pk: int, code: str, requests: dict[int, Any], suggestions: dict[int, Any]) -> tuple[Any, ...]:
    values: dict[str, Any] = {"participant": code, "kept": None} | requests.get(pk, {}) | suggestions.get(pk, {})
    return tuple(values.get(column, 0) for column in COLUMNS["exposure"])
