"""All URLs. Paths never tell an arm."""

from django.urls import include, path

from trial.views import demo, participant

urlpatterns = [
    path("", participant.home, name="home"),
    path("demo/mail/", demo.mails, name="demo_mails"),
    path("", include("trial.urls")),
    path("feedback/", include("feedback.urls")),
    path("analysis/", include("analysis.urls")),
    path("accounts/", include("allauth.urls")),
]

handler400 = "trial.views.errors.bad_request"
handler403 = "trial.views.errors.forbidden"
handler404 = "trial.views.errors.not_found"
handler500 = "trial.views.errors.server_error"
