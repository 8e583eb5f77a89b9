"""What an arm with feedback adds to the writing page."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from feedback import panel
from feedback.services import requests
from trial.models import Reply


class FeedbackIntervention:
    """The help box above the reply and the Flag button below it."""

    code = requests.INTERVENTION

    def panel(self, request: HttpRequest, reply: Reply) -> SafeString:
        view = panel.of(reply)
        if view.request is None:
            requests.prepare(reply)
        shown = render_to_string("feedback/help.html", {"panel": view, "reply": reply}, request)
        if view.request is not None:
            requests.record_shown(view.request)
        return shown

    def footer(self, request: HttpRequest, reply: Reply) -> SafeString:
        return render_to_string("feedback/flag.html", {"reply": reply}, request)

    def on_submit(self, reply: Reply) -> None:
        requests.close_on_submit(reply)
