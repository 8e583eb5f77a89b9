"""How people get an account: participants only from within a study, everybody with kind words."""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest
from django.urls import reverse

from trial import crisis, progress
from trial.models import Participant

PARTICIPANT = "participant_id"  # the session key that the participant views set
QUIET = tuple(f"account/messages/{name}.txt" for name in ("logged_in", "logged_out", "email_confirmed"))
KINDER = {
    "incorrect_code": "That is not the code in our newest mail. Please check it, or ask for a new code.",
    "rate_limited": "This was tried many times in a short while. Please wait a few minutes, then try again.",
    "too_many_login_attempts": "This was tried many times. Please wait a few minutes, then try again.",
    "email_password_mismatch": "This address and password do not go together. Please try again.",
    "unverified_primary_email": "Please confirm your e-mail address first.",
}


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """allauth's account rules, with the study's own where they differ."""

    error_messages: ClassVar[dict[str, Any]] = {**DefaultAccountAdapter.error_messages, **KINDER}

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Only for somebody who consented in this browser and has no account yet."""
        return Participant.objects.filter(
            pk=request.session.get(PARTICIPANT, 0), state=progress.State.ACCOUNT, user=None
        ).exists()

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        return reverse("home")

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return reverse("home")

    def get_logout_redirect_url(self, request: HttpRequest) -> str:
        return reverse("account_login")

    def logout(self, request: HttpRequest) -> None:
        """Cancelling a code is also a logout; it must not lose a participation that has no account yet."""
        begun = None if request.user.is_authenticated else request.session.get(PARTICIPANT)
        super().logout(request)
        if begun:
            request.session[PARTICIPANT] = begun

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        request = self.request
        extra = {
            "crisis_text": crisis.as_text(crisis.likely_country(request)),
            "code_login_url": request.build_absolute_uri(reverse("account_request_login_code")),
            "home_url": request.build_absolute_uri("/"),
        }
        super().send_mail(template_prefix, email, {**extra, **context})

    def add_message(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Pages say what happened; "successfully signed in" on top of them is noise."""
        template = kwargs.get("message_template") or (args[1] if len(args) > 1 else None)
        if template not in QUIET:
            super().add_message(request, *args, **kwargs)
