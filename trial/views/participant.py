"""A participant's pages, in the order they meet them; writing has a module of its own."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from trial import crisis, progress
from trial.errors import DomainError
from trial.forms import CheckForm, ConsentForm, SurveyForm, WithdrawForm
from trial.markdown import to_html
from trial.models import Participant, Study
from trial.progress import State
from trial.services import flow, surveys, withdrawal
from trial.services.allocation import StudyNotOpenError, intervention_of
from trial.views.guards import SESSION_KEY, find_participant, find_study, page_of, participant_page

PAUSED = "The study is pausing at the moment. Your place is kept: please come back in a while and go on from here."
get_or_post = require_http_methods(["GET", "HEAD", "POST"])


def show(request: HttpRequest, template: str, participant: Participant, **context: Any) -> HttpResponse:
    """Render a participant page with what every one of them needs."""
    number, count = progress.step(participant.state)
    context |= {
        "participant": participant,
        "study": participant.study,
        "protocol": participant.protocol,
        "contact": participant.protocol.contact,
        "step": number,
        "steps": count,
        "worried": participant.safety_events.exists(),
    }
    return render(request, f"trial/{template}.html", context, status=context.pop("status", 200))


@login_not_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Where everybody starts: sends people to their page, strangers to the studies that recruit."""
    if request.user.is_authenticated:
        if request.user.is_staff:
            return redirect("trial:staff")
        own = _participation_after_login(request)
        if own:
            return redirect(page_of(own))
    studies = Study.objects.filter(state=Study.State.OPEN).select_related("current_version")
    return render(request, "trial/home.html", {"studies": studies})


def _participation_after_login(request: HttpRequest) -> Participant | None:
    """Tie a participation begun in this browser to the account, then find the account's newest."""
    assert request.user.is_authenticated
    begun = Participant.objects.filter(
        pk=request.session.get(SESSION_KEY, 0), user__isnull=True, state=State.ACCOUNT
    ).first()
    if begun:
        return flow.link_account(participant=begun, user=request.user)
    return Participant.objects.visible_to(request.user).filter(user=request.user).order_by("-pk").first()


@login_not_required
@get_or_post
def landing(request: HttpRequest, slug: str) -> HttpResponse:
    study = find_study(slug)
    participant = find_participant(request, study)
    if request.user.is_authenticated and request.user.is_staff:
        return render(request, "trial/landing.html", {"study": study, "protocol": study.protocol, "preview": True})
    if request.method == "POST":
        return _begin(request, study, participant)
    return render(
        request,
        "trial/landing.html",
        {
            "study": study,
            "protocol": study.protocol,
            "participant": participant,
            "source": request.GET.get("source", ""),
        },
    )


def _begin(request: HttpRequest, study: Study, participant: Participant | None) -> HttpResponse:
    if participant is None or (participant.user_id is None and not participant.is_active):
        try:
            participant = flow.begin(
                study=study, source=request.POST.get("source", ""), country=crisis.likely_country(request)
            )
        except DomainError as error:
            messages.error(request, str(error))
            return redirect("trial:landing", study.slug)
        request.session[SESSION_KEY] = participant.pk
    return redirect(page_of(participant))


@participant_page(State.SCREENING)
@get_or_post
def screening(request: HttpRequest, participant: Participant) -> HttpResponse:
    survey = participant.protocol.eligibility.survey
    form = SurveyForm(survey, "none", request.POST or None)
    if request.method == "POST" and form.is_valid():
        return redirect(page_of(flow.answer_screening(participant=participant, answers=form.answers())))
    return show(request, "survey", participant, survey=survey, form=form, key="screening", status=_status(form))


def _status(form: Any) -> int:
    return 400 if form.is_bound and form.errors else 200


@participant_page(State.INELIGIBLE)
@require_GET
def ineligible(request: HttpRequest, participant: Participant) -> HttpResponse:
    items = surveys.draft(participant, "screening").get("unmet", [])
    unmet = [rule for rule in participant.protocol.eligibility.rules if rule.item in items]
    return show(request, "ineligible", participant, unmet=unmet, safety=any(rule.safety for rule in unmet))


@participant_page(State.CONSENT)
@get_or_post
def consent(request: HttpRequest, participant: Participant) -> HttpResponse:
    document = participant.protocol.consent
    form = ConsentForm(document, request.POST if request.POST.get("decision") == "agree" else None)
    if request.POST.get("decision") == "decline":
        return redirect(page_of(flow.decide_consent(participant=participant, agreed=False)))
    if request.method == "POST" and form.is_valid():
        return redirect(page_of(flow.decide_consent(participant=participant, agreed=True)))
    return show(request, "consent", participant, form=form, document=to_html(document.document), status=_status(form))


@participant_page()
@get_or_post
def reconsent(request: HttpRequest, participant: Participant) -> HttpResponse:
    """The amended consent of the study's current version."""
    if not flow.needs_reconsent(participant):
        return redirect(page_of(participant))
    document = participant.study.protocol.consent
    form = ConsentForm(document, request.POST if request.POST.get("decision") == "agree" else None)
    if request.POST.get("decision") == "decline" or (request.method == "POST" and form.is_valid()):
        agreed = request.POST["decision"] == "agree"
        return redirect(page_of(flow.reconsent(participant=participant, agreed=agreed)))
    return show(
        request,
        "consent",
        participant,
        form=form,
        document=to_html(document.document),
        amended=True,
        status=_status(form),
    )


@participant_page(State.ACCOUNT)
@require_GET
def account(request: HttpRequest, participant: Participant) -> HttpResponse:
    if request.user.is_authenticated and not request.user.is_staff:
        return redirect(page_of(flow.link_account(participant=participant, user=request.user)))
    return show(request, "account", participant)


@participant_page(State.PRE_SURVEY)
@get_or_post
def pre_survey(request: HttpRequest, participant: Participant) -> HttpResponse:
    return _survey(request, participant, "pre")


@participant_page(State.POST_SURVEY)
@get_or_post
def post_survey(request: HttpRequest, participant: Participant) -> HttpResponse:
    return _survey(request, participant, "post")


def _survey(request: HttpRequest, participant: Participant, key: str) -> HttpResponse:
    survey = participant.protocol.survey(key)
    saved = surveys.draft(participant, key)
    form = SurveyForm(survey, intervention_of(participant), request.POST or None, initial=saved)
    if request.method == "POST":
        valid = form.is_valid()
        if valid and request.POST.get("action") != "save":
            return redirect(page_of(flow.submit_survey(participant=participant, survey=key, answers=form.answers())))
        surveys.save_draft(participant=participant, survey=key, answers=form.answers())
        if request.POST.get("action") == "save":
            messages.success(request, "Your answers are saved. Come back any time, on any device.")
            return redirect(page_of(participant))
    return show(request, "survey", participant, survey=survey, form=form, key=key, status=_status(form))


@participant_page(State.TRAINING)
@get_or_post
def training(request: HttpRequest, participant: Participant) -> HttpResponse:
    pages = participant.protocol.training
    page = pages[participant.training_page]
    form = CheckForm(page, request.POST if "answer" in request.POST else None) if page.check else None
    wrong = False
    if request.method == "POST" and (form is None or form.is_valid()):
        answer = form.cleaned_data["answer"] if form else ""
        asked = request.POST.get("page", "")
        try:
            wrong = not flow.answer_training(participant=participant, page=asked, answer=answer)
        except StudyNotOpenError:
            messages.info(request, PAUSED)
        if not wrong:
            participant.refresh_from_db()
            return redirect(page_of(participant))
    return show(
        request,
        "training",
        participant,
        page=page,
        form=form,
        wrong=wrong,
        body=to_html(page.document),
        number=participant.training_page + 1,
        count=len(pages),
    )


@participant_page(State.INSTRUCTIONS)
@get_or_post
def instructions(request: HttpRequest, participant: Participant) -> HttpResponse:
    if request.method == "POST":
        return redirect(page_of(flow.begin_writing(participant=participant)))
    texts = participant.protocol.instructions
    addition = texts.additions.get(intervention_of(participant), "")
    return show(request, "instructions", participant, body=to_html(texts.document), addition=to_html(addition))


@participant_page(State.DEBRIEF)
@get_or_post
def debrief(request: HttpRequest, participant: Participant) -> HttpResponse:
    if request.method == "POST":
        return redirect(page_of(flow.finish(participant=participant)))
    return show(request, "debrief", participant, body=to_html(participant.protocol.debrief))


def _end(state: State, template: str) -> Any:
    """A page that only says where things stand."""

    @participant_page(state)
    @require_GET
    def page(request: HttpRequest, participant: Participant) -> HttpResponse:
        return show(request, template, participant)

    return page


completed = _end(State.COMPLETED, "completed")
declined = _end(State.DECLINED, "declined")
withdrawn = _end(State.WITHDRAWN, "withdrawn")
timed_out = _end(State.TIMED_OUT, "timed_out")
duplicate = _end(State.DUPLICATE, "duplicate")


@participant_page()
@get_or_post
def withdraw(request: HttpRequest, participant: Participant) -> HttpResponse:
    """Leave from anywhere; people who finished may still have what they gave erased."""
    if participant.erased_at or participant.state in (State.INELIGIBLE, State.DECLINED, State.DUPLICATE):
        return redirect(page_of(participant))
    form = WithdrawForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        participant = withdrawal.withdraw(participant=participant, **form.cleaned_data)
        request.session[SESSION_KEY] = participant.pk
        return redirect("trial:withdrawn", participant.study.slug)
    return show(request, "withdraw", participant, form=form, status=_status(form))


@require_POST
@login_not_required
def forget(request: HttpRequest, slug: str) -> HttpResponse:
    """End this browser's part in a study that was not taken up, so that another person can begin."""
    request.session.pop(SESSION_KEY, None)
    return redirect("trial:landing", slug)
