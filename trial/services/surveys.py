"""Survey answers: drafts, submission, and the safety screen over what people typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from trial.models import Participant, SurveyResponse
from trial.services import audit, safety


def store(participant: Participant, survey: str, answers: Mapping[str, Any]) -> SurveyResponse:
    """Submit the answers; call inside a transaction, on a locked participant."""
    response, _ = SurveyResponse.objects.update_or_create(
        participant=participant,
        survey=survey,
        defaults={"answers": dict(answers), "submitted_at": timezone.now()},
    )
    audit.record(f"survey.{survey}", label="participant", study=participant.study, ref=participant.code)
    written = "\n".join(text for _, text in typed(participant, survey))
    safety.screen(participant=participant, text=written, place=f"survey:{survey}")
    return response


def typed(participant: Participant, survey: str) -> list[tuple[str, str]]:
    """The free-text questions of a survey that were answered, with the answers."""
    answers = draft(participant, survey)
    items = [item for item in participant.protocol.survey(survey).items if item.kind == "text"]
    return [(item.text, str(answers[item.code])) for item in items if answers.get(item.code)]


@transaction.atomic
def save_draft(*, participant: Participant, survey: str, answers: Mapping[str, Any]) -> None:
    """Keep half-filled answers so that any device resumes; a submitted survey stays as it is."""
    response, _ = SurveyResponse.objects.get_or_create(participant=participant, survey=survey)
    SurveyResponse.objects.filter(pk=response.pk, submitted_at__isnull=True).update(
        answers=dict(answers), saved_at=timezone.now()
    )


def draft(participant: Participant, survey: str) -> dict[str, Any]:
    response = SurveyResponse.objects.filter(participant=participant, survey=survey).first()
    return dict(response.answers) if response else {}
