"""The demo's mailbox: mails that a real study would send, readable on a page where DEMO is on."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

NEWEST = 20
SEPARATOR = re.compile(rb"^-{79}\r?$", re.MULTILINE)
CODE = re.compile(r"^([A-Z0-9]{3,}(?:-[A-Z0-9]{3,})*)$", re.MULTILINE)


@dataclass(frozen=True)
class Mail:
    to: str
    subject: str
    date: str
    body: str
    code: str


@login_not_required
@require_safe
def mails(request: HttpRequest) -> HttpResponse:
    """The newest mails, newest first."""
    if not settings.DEMO:
        raise Http404
    return render(request, "demo/mails.html", {"mails": newest(Path(settings.EMAIL_FILE_PATH))})


def newest(folder: Path) -> list[Mail]:
    """The last mails written to the folder by Django's file-based backend."""
    files = sorted(folder.glob("*.log"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
    found: list[Mail] = []
    for file in files[:NEWEST]:
        parts = SEPARATOR.split(file.read_bytes())
        found += [_parse(part) for part in reversed(parts) if part.strip()]
    return found[:NEWEST]


def _parse(source: bytes) -> Mail:
    message = email.message_from_bytes(source.lstrip(), policy=email.policy.default)
    part = message.get_body(("plain",))
    body = part.get_content().strip() if part else ""
    code = CODE.search(body)
    return Mail(
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        date=str(message["Date"] or ""),
        body=body,
        code=code.group(1) if code else "",
    )
