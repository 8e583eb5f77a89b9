"""The help box's own requests: ask, look whether the answer is there, take a suggestion, flag.

Each answers a fragment to htmx and a redirect to the writing page to a plain form post. To anybody
but the writer, and in an arm without feedback, none of these pages exists.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from feedback import panel
from feedback.errors import NothingToFlagError
from feedback.models import FeedbackRequest, Suggestion
from feedback.services import requests, work
from trial.errors import DomainError
from trial.models import Reply
from trial.services import replies
from trial.services.replies import ReplyError
from trial.views import writing
from trial.views.guards import page_of

KEY = re.compile(r"[\w-]{8,64}", re.ASCII)
# Every so many looks a waiting request calls the workers again, in case the first call was lost.
CALL_AGAIN = 5
STALE = "That part of your reply has changed, so this suggestion no longer fits. Your text is as you wrote it."


@require_POST
def ask(request: HttpRequest, pk: int) -> HttpResponse:
    """Save the draft and ask for feedback on it; reloading is asking again under another key."""
    reply = _own_reply(request, pk)
    draft = _draft(request)
    try:
        requests.ask(reply=reply, key=_key(request), **draft)
    except DomainError as error:
        return _refused(request, reply, draft["text"], error)
    return _answer(request, reply)


@require_POST
def save(request: HttpRequest, pk: int) -> HttpResponse:
    """Save the draft and show the page anew: how a browser without JavaScript looks for the answer."""
    reply = _own_reply(request, pk)
    draft = _draft(request)
    try:
        replies.save_draft(reply=reply, **draft)
    except DomainError as error:
        return _refused(request, reply, draft["text"], error)
    return _answer(request, reply)


@require_GET
def look(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Whether the answer is there. While it is not, only the part that looks again is replaced."""
    feedback = get_object_or_404(FeedbackRequest.objects.visible_to(request.user).with_policy(), pk=pk)
    _offered(feedback.reply)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(page_of(feedback.reply.participant))
    count = _count(request)
    swept = work.sweep_one(feedback)
    if swept or count % CALL_AGAIN == CALL_AGAIN - 1:
        requests.call_again(feedback)
    feedback.refresh_from_db(fields=["status"])
    if feedback.is_open:
        return _fragment(request, "feedback/look.html", _looking(feedback, count))
    response = _panel(request, feedback.reply)
    response["HX-Retarget"], response["HX-Reswap"] = "#help", "innerHTML"
    return response


@require_POST
def accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Take one suggestion into the text as it stands."""
    suggestion = get_object_or_404(
        Suggestion.objects.visible_to(request.user).select_related("request__reply__participant"), pk=pk
    )
    reply = suggestion.request.reply
    _offered(reply)
    draft = _draft(request)
    try:
        accepted = requests.accept(suggestion=suggestion, **draft)
    except DomainError as error:
        return _refused(request, reply, draft["text"], error)
    return _answer(request, reply, note="" if accepted.applied else STALE, text=accepted.text)


@require_POST
def flag(request: HttpRequest, pk: int) -> HttpResponse:
    """Complain about the answer that the page shows; the draft is saved on the way."""
    reply = _own_reply(request, pk)
    draft = _draft(request)
    try:
        replies.save_draft(reply=reply, **draft)
        requests.flag(
            request=_shown(request, reply),
            not_understood="flag_not_understood" in request.POST,
            harmful="flag_harmful" in request.POST,
            other=request.POST.get("flag_other", ""),
        )
    except DomainError as error:
        return _not_flagged(request, reply, draft["text"], error)
    return _flagged(request, reply)


# --- Guards and parsing ---------------------------------------------------------------------


def _own_reply(request: HttpRequest, pk: int) -> Reply:
    reply: Reply = get_object_or_404(
        Reply.objects.visible_to(request.user).select_related("participant__study", "participant__version"),
        pk=pk,
    )
    _offered(reply)
    return reply


def _offered(reply: Reply) -> None:
    if not requests.is_offered(reply.participant):
        raise Http404


def _draft(request: HttpRequest) -> dict[str, Any]:
    """The text and what tells whether it is newer than the stored one."""
    text = request.POST.get("text")
    revision = request.POST.get("revision", "")
    if text is None or not (revision.isascii() and revision.isdigit() and len(revision) < 10):
        raise BadRequest("The reply box is missing from the form.")
    return {"text": text, "revision": int(revision), "window": request.POST.get("window", "")[:32]}


def _key(request: HttpRequest) -> str:
    key = request.POST.get("key", "")
    if not KEY.fullmatch(key):
        raise BadRequest("The form carries no valid key.")
    return key


def _count(request: HttpRequest) -> int:
    value = request.GET.get("n", "0")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 4 else 0


def _shown(request: HttpRequest, reply: Reply) -> FeedbackRequest:
    """The request that the page showed.

    Raises:
        NothingToFlagError: it showed none.
    """
    try:
        wanted = uuid.UUID(request.POST.get("feedback", ""))
    except ValueError:
        raise NothingToFlagError("There is no feedback to flag yet.") from None
    shown: FeedbackRequest = get_object_or_404(FeedbackRequest.objects.filter(reply=reply), pk=wanted)
    return shown


# --- Answers --------------------------------------------------------------------------------


def _answer(request: HttpRequest, reply: Reply, *, note: str = "", text: str | None = None) -> HttpResponse:
    """The box as it is now; `text` is what the reply box must show from now on."""
    if request.htmx:  # type: ignore[attr-defined]
        return _panel(request, reply, note=note, text=text)
    if note:
        messages.warning(request, note)
    return redirect(page_of(reply.participant))


def _panel(request: HttpRequest, reply: Reply, *, status: int = 200, **more: Any) -> HttpResponse:
    reply = Reply.objects.select_related("participant__study").get(pk=reply.pk)
    view = panel.of(reply)
    response = _fragment(request, "feedback/panel.html", {"panel": view, "reply": reply, **more}, status)
    if view.request is not None:
        requests.record_shown(view.request)
    return response


def _fragment(request: HttpRequest, name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Marked, so that the page never takes an error or login page for a fragment."""
    response = render(request, name, context, status=status)
    response["X-Fragment"] = "help"
    return response


def _looking(feedback: FeedbackRequest, count: int) -> dict[str, Any]:
    return {"feedback": feedback, "count": count + 1, "delay": panel.delay(count + 1)}


def _refused(request: HttpRequest, reply: Reply, text: str, error: DomainError) -> HttpResponse:
    """Say why not, and lose nothing of what was typed."""
    status = 409 if error.code in ("stale_revision", "submitted", "wrong_state", "superseded") else 400
    if request.htmx:  # type: ignore[attr-defined]
        return _panel(request, reply, status=status, note=str(error))
    if isinstance(error, ReplyError) and error.code in ("too_long", "stale_revision"):
        reply.refresh_from_db()
        return writing.page(request, reply.participant, reply, text, error=error, status=status)
    messages.warning(request, str(error))
    return redirect(page_of(reply.participant))


def _flagged(request: HttpRequest, reply: Reply) -> HttpResponse:
    thanks = "Thank you. This feedback has been flagged, and the study team will see it."
    if request.htmx:  # type: ignore[attr-defined]
        return _fragment(request, "feedback/flag.html", {"reply": reply, "thanks": thanks})
    messages.success(request, thanks)
    return redirect(page_of(reply.participant))


def _not_flagged(request: HttpRequest, reply: Reply, text: str, error: DomainError) -> HttpResponse:
    """Said where the complaint was written, with what was ticked and typed still there."""
    if not request.htmx:  # type: ignore[attr-defined]
        return _refused(request, reply, text, error)
    context = {"reply": reply, "problem": str(error), "posted": request.POST}
    return _fragment(request, "feedback/flag.html", context, 400)
