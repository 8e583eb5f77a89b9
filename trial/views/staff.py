"""Pages of the study team: where to go by role, the dashboard without arms, safety events."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from trial import dashboard as counts
from trial.errors import DomainError
from trial.forms import AcknowledgeForm
from trial.models import SafetyEvent, Study, User
from trial.services import safety, studies, surveys
from trial.views.guards import find_study


def _user(request: HttpRequest) -> User:
    assert request.user.is_authenticated
    return request.user


@require_GET
def staff(request: HttpRequest) -> HttpResponse:
    """The pages this person's roles open; nothing for participants."""
    if not request.user.is_staff:
        raise PermissionDenied
    rows = Study.objects.select_related("current_version").exclude(current_version=None)
    roles = sorted(_user(request).groups.values_list("name", flat=True))
    return render(request, "trial/staff.html", {"studies": rows, "roles": roles})


@permission_required("trial.view_participant", raise_exception=True)
@require_GET
def dashboard(request: HttpRequest, slug: str) -> HttpResponse:
    study = find_study(slug)
    simulated = request.GET.get("who") == "simulated"
    context = {
        "study": study,
        "protocol": study.protocol,
        "simulated": simulated,
        "enrolment": counts.enrolment(study, simulated=simulated),
        "funnel": counts.funnel(study, simulated=simulated),
        "endings": counts.endings(study, simulated=simulated),
        "sections": counts.sections(study, simulated=simulated),
        "safety_open": SafetyEvent.objects.filter(
            participant__study=study, participant__simulated=simulated, acknowledged_at=None
        ).count(),
        "safety_all": SafetyEvent.objects.filter(participant__study=study, participant__simulated=simulated).count(),
        "seal": getattr(study, "seal", None),
        "acts": [name for name, (sources, _) in studies.ACTS.items() if study.state in sources],
    }
    return render(request, "trial/dashboard.html", context)


@permission_required("trial.change_study", raise_exception=True)
@require_POST
def act(request: HttpRequest, slug: str) -> HttpResponse:
    """Pause, resume, close or lock, confirmed by typing the study's name."""
    study = find_study(slug)
    name = request.POST.get("act", "")
    if name not in studies.ACTS:
        messages.error(request, "There is no such act.")
    elif request.POST.get("confirm", "").strip() != study.slug:
        messages.error(request, f"To {name} the study, type its short name, “{study.slug}”, to confirm.")
    else:
        try:
            studies.act(study=study, name=name, actor=_user(request))
            messages.success(request, f"Done: {name} {study.slug}.")
        except DomainError as error:
            messages.error(request, str(error))
    return redirect("trial:dashboard", study.slug)


@permission_required("trial.view_safetyevent", raise_exception=True)
@require_GET
def safety_events(request: HttpRequest, slug: str) -> HttpResponse:
    study = find_study(slug)
    events = (
        SafetyEvent.objects.visible_to(_user(request))
        .filter(participant__study=study)
        .select_related("participant", "reply", "acknowledged_by")
        .order_by("acknowledged_at", "-at")
    )
    return render(request, "trial/safety_events.html", {"study": study, "protocol": study.protocol, "events": events})


@permission_required("trial.change_safetyevent", raise_exception=True)
@require_http_methods(["GET", "POST"])
def safety_event(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    study = find_study(slug)
    event = get_object_or_404(
        SafetyEvent.objects.visible_to(_user(request)).select_related("participant", "reply__post"),
        pk=pk,
        participant__study=study,
    )
    form = AcknowledgeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if safety.acknowledge(event=event, actor=_user(request), note=form.cleaned_data["note"]):
            messages.success(request, "Acknowledged.")
        else:
            messages.info(request, "Somebody had already acknowledged this event.")
        return redirect("trial:safety_events", study.slug)
    status = 400 if form.is_bound and form.errors else 200
    typed = surveys.typed(event.participant, event.place.removeprefix("survey:")) if event.reply is None else []
    context = {"study": study, "protocol": study.protocol, "event": event, "form": form, "typed": typed}
    return render(request, "trial/safety_event.html", context, status=status)
