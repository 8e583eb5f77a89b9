"""Application configuration: brings the feedback intervention to the trial."""

from __future__ import annotations

from django.apps import AppConfig


class FeedbackConfig(AppConfig):
    name = "feedback"

    def ready(self) -> None:
        from feedback.health import section
        from feedback.intervention import FeedbackIntervention
        from trial import dashboard, interventions

        interventions.register(FeedbackIntervention())
        dashboard.register(section)
