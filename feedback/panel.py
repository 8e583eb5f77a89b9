"""The help box as values for its template: which of its states, and the reply as running text with edits.

The states and their words are HAILEY's (Nature Machine Intelligence 5:46-57, Fig. 1 and S31).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from feedback.models import FeedbackRequest, Suggestion
from ml import text as sentences
from trial.models import Reply

State = Literal["idle", "loading", "suggestions", "taken", "gone", "awesome", "screened", "failed"]
# Milliseconds until the next look at a request: quick while an answer is likely (the first five
# seconds), then ever slower.
DELAYS = (*(300,) * 8, *(500,) * 5, 800, 1200, 1800, 2500)
# Seconds after which the page gives up even if it hears nothing: the server's own, and some grace.
GRACE = 5


@dataclass(frozen=True)
class Piece:
    """One sentence of the running text: the writer's own, or an edit that can be taken."""

    kind: Literal["own", "insert", "replace"]
    text: str
    gap: str = ""
    old: str = ""
    suggestion: int = 0


@dataclass(frozen=True)
class Panel:
    """All that the help box shows. `key` makes a double tap on it one request."""

    state: State
    reply: Reply
    request: FeedbackRequest | None = None
    pieces: tuple[Piece, ...] = ()
    changed: bool = False
    delay: int = DELAYS[0]
    patience: int = 0
    key: str = ""


def of(reply: Reply) -> Panel:
    """The box for a reply as it stands, from its newest request."""
    request = FeedbackRequest.objects.latest_of(reply).with_policy().first()
    suggestions = list(request.suggestions.all()) if request else []
    return Panel(
        state=_state(request, suggestions),
        reply=reply,
        request=request,
        pieces=tuple(running_text(request.text, suggestions)) if request and suggestions else (),
        changed=request is not None and request.text != reply.text,
        patience=request.reply.participant.protocol.feedback.timeout_seconds + GRACE if request else 0,
        key=secrets.token_urlsafe(16),
    )


def _state(request: FeedbackRequest | None, suggestions: list[Suggestion]) -> State:
    if request is None:
        return "idle"
    if request.is_open:
        return "loading"
    if request.status != FeedbackRequest.Status.DONE:
        return "failed"
    if request.outcome == "suggestions":
        return _state_of(suggestions)
    answers: dict[str, State] = {"nothing_needed": "awesome", "screened": "screened"}
    return answers.get(request.outcome, "failed")


def _state_of(suggestions: list[Suggestion]) -> State:
    if any(suggestion.is_pending for suggestion in suggestions):
        return "suggestions"
    return "taken" if any(suggestion.accepted_at for suggestion in suggestions) else "gone"


def delay(look: int) -> int:
    """How long the page waits before its next look."""
    return DELAYS[min(max(look, 0), len(DELAYS) - 1)]


def running_text(asked: str, suggestions: list[Suggestion]) -> Iterator[Piece]:
    """The text as it was when asked, with the suggestions in their places."""
    inserts, replaces = _by_place(suggestions)
    end = 0
    parts = sentences.sentences(asked)
    for index, sentence in enumerate(parts):
        gap = _gap(asked[end : sentence.start])
        for suggestion in inserts.get(index, ()):
            yield _piece(suggestion, gap)
            gap = " "
        replacing = replaces.get(index)
        yield _piece(replacing, gap) if replacing else Piece("own", sentence.text, gap)
        end = sentence.stop
    for suggestion in inserts.get(len(parts), ()):
        yield _piece(suggestion, " " if parts else "")


def _by_place(suggestions: list[Suggestion]) -> tuple[dict[int, list[Suggestion]], dict[int, Suggestion]]:
    """Inserts and replaces by sentence; what can no longer be taken leaves no trace but a taken text."""
    inserts: dict[int, list[Suggestion]] = {}
    replaces: dict[int, Suggestion] = {}
    for suggestion in suggestions:
        if not (suggestion.is_pending or suggestion.accepted_at):
            continue
        if suggestion.op == "insert":
            inserts.setdefault(suggestion.index, []).append(suggestion)
        else:
            replaces[suggestion.index] = suggestion
    return inserts, replaces


def _gap(between: str) -> str:
    """What stood between two sentences, on the page: a new line where there was one, else a space."""
    return "\n" if "\n" in between else " " if between else ""


def _piece(suggestion: Suggestion, gap: str) -> Piece:
    if suggestion.accepted_at:
        return Piece("own", suggestion.new, gap)
    if suggestion.op == "insert":
        return Piece("insert", suggestion.new, gap, suggestion=suggestion.pk)
    return Piece("replace", suggestion.new, gap, old=suggestion.old, suggestion=suggestion.pk)
