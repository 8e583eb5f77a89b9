"""How the feedback service is doing, for the dashboard: totals over everybody, never by person."""

from __future__ import annotations

from datetime import timedelta
from statistics import median, quantiles

from django.db.models import Count
from django.utils import timezone

from feedback.models import FeedbackFlag, FeedbackRequest
from trial.dashboard import Section
from trial.models import Study

WAITING_TOO_LONG = timedelta(seconds=30)


def section(study: Study, simulated: bool) -> Section:  # noqa: FBT001  # the dashboard's interface
    rows = FeedbackRequest.objects.filter(reply__participant__study=study, reply__participant__simulated=simulated)
    by_status = dict(rows.values_list("status").annotate(n=Count("pk")))
    flags = FeedbackFlag.objects.filter(request__in=rows).count()
    waits = [
        (finished - created).total_seconds()
        for created, finished in rows.filter(status=FeedbackRequest.Status.DONE).values_list(
            "created_at", "finished_at"
        )
    ]
    stuck = rows.open().filter(created_at__lt=timezone.now() - WAITING_TOO_LONG).count()
    return Section(
        "Feedback service",
        (
            ("Requests", str(sum(by_status.values()))),
            ("Answered", str(by_status.get("done", 0))),
            ("Failed or expired", str(by_status.get("failed", 0) + by_status.get("expired", 0))),
            ("Waiting longer than 30 s", str(stuck)),
            ("Tap to answer, median", _seconds(median(waits) if waits else None)),
            ("Tap to answer, 95th percentile", _seconds(_p95(waits))),
            ("Flagged by participants", str(flags)),
        ),
        note="Is a worker running?" if stuck else "",
    )


def _p95(values: list[float]) -> float | None:
    if len(values) < 2:
        return values[0] if values else None
    return quantiles(values, n=20, method="inclusive")[-1]


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"
