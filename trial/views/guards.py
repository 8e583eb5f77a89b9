"""Who may see a participant page: the person themselves, at the step they are at."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from trial import progress
from trial.models import Participant, Study
from trial.progress import State
from trial.services import flow

SESSION_KEY = "participant_id"
BEFORE_ACCOUNT = frozenset({State.SCREENING, State.CONSENT, State.ACCOUNT, State.INELIGIBLE, State.DECLINED})
ParticipantView = Callable[..., HttpResponse]


def find_study(slug: str) -> Study:
    return get_object_or_404(
        Study.objects.select_related("current_version").defer("current_version__document"),
        slug=slug,
        current_version__isnull=False,
    )


def find_participant(request: HttpRequest, study: Study) -> Participant | None:
    """The account's participation, or the one this browser began before it had an account."""
    rows = (
        Participant.objects.filter(study=study)
        .select_related("study__current_version", "version", "user")
        .defer("version__document", "study__current_version__document")
    )
    if request.user.is_authenticated:
        own = rows.filter(user=request.user).first()
        if own:
            return own
    return rows.filter(pk=request.session.get(SESSION_KEY, 0), user__isnull=True).first()


def page_of(participant: Participant) -> str:
    """The URL of the page where this participant is."""
    return reverse(progress.PAGES[participant.state], args=[participant.study.slug])


def participant_page(*states: State) -> Callable[[ParticipantView], ParticipantView]:
    """Hand the view its participant, or send them to where they are.

    With no state given, the page is for every participant, wherever they are.
    """

    def decorate(view: ParticipantView) -> ParticipantView:
        @wraps(view)
        def guarded(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponse:
            participant = find_participant(request, find_study(slug))
            if participant is None:
                return _send_away(request, slug)
            if states and participant.state not in states:
                return redirect(page_of(participant))
            interruption = _interruption(request, participant) if states else None
            if interruption is not None:
                return interruption
            flow.touch(participant)
            return view(request, participant, **kwargs)

        return login_not_required(guarded)

    return decorate


def _send_away(request: HttpRequest, slug: str) -> HttpResponse:
    """Somebody whom we do not know here: to the door, or, with another role, nowhere."""
    if request.user.is_authenticated and request.user.is_staff:
        raise Http404
    return redirect("trial:landing", slug)


def _interruption(request: HttpRequest, participant: Participant) -> HttpResponse | None:
    """A closed study or an amended consent comes before the page itself."""
    if not participant.is_active:
        return None
    if not participant.study.is_running and participant.state != State.DEBRIEF:
        return render(request, "trial/closed.html", {"participant": participant, "study": participant.study})
    if flow.needs_reconsent(participant):
        return redirect("trial:reconsent", participant.study.slug)
    return None
