"""Celery's way into the trial's services."""

from __future__ import annotations

from celery import shared_task
from django.core.mail import send_mail
from django.template.loader import render_to_string


@shared_task
def notify_safety_officers(event_id: int) -> None:
    from trial.models import SafetyEvent
    from trial.services import safety

    event = SafetyEvent.objects.select_related("participant__study").get(pk=event_id)
    body = render_to_string("trial/mail/safety_event.txt", {"event": event})
    for officer in safety.officers():
        send_mail("Safety event: please look", body, None, [officer.email])


@shared_task
def time_out_participants() -> None:
    from trial.services import flow

    flow.time_out_inactive()
