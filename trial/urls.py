"""Participant and staff URLs; the same for every arm."""

from django.urls import path

from trial.progress import State
from trial.views import participant, staff, writing

app_name = "trial"

_study = "study/<slug:slug>/"
_pages = {
    State.SCREENING: participant.screening,
    State.CONSENT: participant.consent,
    State.ACCOUNT: participant.account,
    State.PRE_SURVEY: participant.pre_survey,
    State.TRAINING: participant.training,
    State.INSTRUCTIONS: participant.instructions,
    State.WRITING: writing.writing,
    State.POST_SURVEY: participant.post_survey,
    State.DEBRIEF: participant.debrief,
    State.COMPLETED: participant.completed,
    State.INELIGIBLE: participant.ineligible,
    State.DECLINED: participant.declined,
    State.WITHDRAWN: participant.withdrawn,
    State.TIMED_OUT: participant.timed_out,
    State.DUPLICATE: participant.duplicate,
}

urlpatterns = [
    path(_study, participant.landing, name="landing"),
    *[path(f"{_study}{state.replace('_', '-')}/", view, name=state) for state, view in _pages.items()],
    path(_study + "writing/draft/", writing.draft, name="draft"),
    path(_study + "new-consent/", participant.reconsent, name="reconsent"),
    path(_study + "withdraw/", participant.withdraw, name="withdraw"),
    path(_study + "start-over/", participant.forget, name="forget"),
    path("staff/", staff.staff, name="staff"),
    path("staff/<slug:slug>/", staff.dashboard, name="dashboard"),
    path("staff/<slug:slug>/act/", staff.act, name="act"),
    path("staff/<slug:slug>/safety/", staff.safety_events, name="safety_events"),
    path("staff/<slug:slug>/safety/<int:pk>/", staff.safety_event, name="safety_event"),
]
