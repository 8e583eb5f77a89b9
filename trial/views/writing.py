"""The writing page: one post, one reply box, and whatever the arm's intervention adds."""

from __future__ import annotations

import secrets

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from trial import interventions
from trial.models import Participant, Reply
from trial.progress import State
from trial.services import replies
from trial.services.allocation import intervention_of
from trial.services.replies import ReplyError
from trial.views.guards import page_of, participant_page
from trial.views.participant import show


@participant_page(State.WRITING)
@require_http_methods(["GET", "HEAD", "POST"])
def writing(request: HttpRequest, participant: Participant) -> HttpResponse:
    reply = replies.current(participant)
    assert reply is not None, "a participant with nothing left to write has moved on"
    if request.method != "POST":
        replies.mark_shown(reply)
        return page(request, participant, reply, reply.text)
    if _posted_int(request, "position") != reply.position:
        messages.info(request, "That reply had already been sent. Here is the next post.")
        return redirect(page_of(participant))
    return _submit(request, participant, reply)


def _submit(request: HttpRequest, participant: Participant, reply: Reply) -> HttpResponse:
    text = request.POST.get("text", "")
    try:
        participant = replies.submit(
            reply=reply,
            text=text,
            revision=_posted_int(request, "revision"),
            window=request.POST.get("window", ""),
        )
    except ReplyError as error:
        reply.refresh_from_db()
        status = 409 if error.code == "stale_revision" else 400
        return page(request, participant, reply, text, error=error, status=status)
    return redirect(page_of(participant))


def page(
    request: HttpRequest,
    participant: Participant,
    reply: Reply,
    text: str,
    *,
    error: ReplyError | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page with what the person typed, whatever came of it; `other` is what another window saved."""
    intervention = interventions.intervention(intervention_of(participant))
    return show(
        request,
        "writing",
        participant,
        reply=reply,
        text=text,
        window=request.POST.get("window") or secrets.token_hex(8),
        error=error,
        other=reply.text if error and error.code == "stale_revision" else "",
        count=participant.protocol.writing.per_participant,
        panel=intervention.panel(request, reply),
        footer=intervention.footer(request, reply),
        status=status,
    )


@participant_page(State.WRITING)
@require_POST
def draft(request: HttpRequest, participant: Participant) -> HttpResponse:
    """Autosave: answers JSON with the new revision, and whether help should be shown."""
    position = _posted_int(request, "position")
    reply = participant.replies.filter(position=position or 0).first()
    if reply is None:
        return JsonResponse({"code": "unknown", "message": "There is no such reply."}, status=404)
    try:
        saved = replies.save_draft(
            reply=reply,
            text=request.POST.get("text", ""),
            revision=_posted_int(request, "revision"),
            window=request.POST.get("window", ""),
        )
    except ReplyError as error:
        return JsonResponse({"code": error.code, "message": str(error)}, status=409)
    return JsonResponse({"revision": saved.revision, "worried": participant.safety_events.exists()})


def _posted_int(request: HttpRequest, name: str) -> int | None:
    value = request.POST.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
