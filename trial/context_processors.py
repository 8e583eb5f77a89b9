"""Values that every template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from trial import crisis as crisis_resources


def crisis(request: HttpRequest) -> dict[str, Any]:
    """Crisis resources, the visitor's likely country, and whether this site is a demo."""
    return {
        "crisis": crisis_resources.resources(),
        "crisis_country": crisis_resources.likely_country(request),
        "demo": settings.DEMO,
        "support_email": settings.DEFAULT_FROM_EMAIL,
    }
