"""Error pages: kind, clear, and with crisis help even when nothing else works."""

from __future__ import annotations

import logging
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.template import loader

from trial import crisis

logger = logging.getLogger(__name__)

# Shown only when not even the template of the 500 page can be rendered.
LAST_RESORT = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Something went wrong</title>
<h1>Something went wrong on our side</h1>
<p>What you saved is safe. Please try again in a few minutes.</p>
<h2>Need help now?</h2>
<p>Emergency: <a href="tel:112">112</a>, <a href="tel:911">911</a> or <a href="tel:999">999</a>.
Call or text <a href="tel:988">988</a> (USA, Canada) or call <a href="tel:116123">116 123</a> (UK, Ireland).
Elsewhere: <a href="https://findahelpline.com">findahelpline.com</a>.</p></html>"""


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400. Rendered apart from the request: its cookies may be what is wrong."""
    return HttpResponse(_bare("400.html", request), status=400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return HttpResponse(_with_request("403.html", request), status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return HttpResponse(_with_request("404.html", request), status=404)


def wrong_method(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_with_request("405.html", request), status=405)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for an expired form: what was written is still in the page one step back."""
    logger.info("form refused: %s", reason)
    return HttpResponse(_with_request("403_csrf.html", request), status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, with neither database nor session."""
    return HttpResponse(_bare("500.html", request), status=500)


def _with_request(template: str, request: HttpRequest) -> str:
    """With the visitor's session where it can be read, bare where it cannot."""
    try:
        return loader.render_to_string(template, {"path": request.path}, request)
    except Exception:
        logger.exception("%s could not be rendered with the request", Path(template).stem)
        return _bare(template, request)


def _bare(template: str, request: HttpRequest) -> str:
    try:
        return loader.render_to_string(template, {"crisis_country": crisis.likely_country(request)})
    except Exception:
        logger.exception("%s could not be rendered", Path(template).stem)
        return LAST_RESORT
