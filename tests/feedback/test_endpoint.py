"""A tap whose endpoint fails: the participant writes on, and the row says what happened."""

from __future__ import annotations

import logging
import socket

import pytest
from django.urls import reverse
from django.utils.html import escape

from feedback import rewriters
from feedback.services import work
from ml.partner.rewriter import build
from tests.conftest import client_of
from tests.feedback.helpers import DRAFT, Scripted, answered, form
from tests.ml.lexicon import LexiconScorer
from trial.models import AuditEvent, Reply
from trial.services import replies

KEY = "sk-very-secret-0123456789"


@pytest.fixture
def reply(reply: Reply, rewriter: Scripted, monkeypatch: pytest.MonkeyPatch) -> Reply:
    """Alice's first reply, in a study whose rewriter asks an endpoint that is down."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for name, value in {"URL": f"http://127.0.0.1:{port}/v1", "MODEL": "tiny-1", "KEY": KEY}.items():
        monkeypatch.setenv(f"ATTUNE_ENDPOINT_{name}", value)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    rewriters.register(
        "scripted", lambda p: build("endpoint", scorer=LexiconScorer(), gate=p.gate, min_gain=p.min_gain)
    )
    return reply


def test_the_reply_stays_intact_and_the_row_says_that_the_endpoint_is_down(
    reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        request = answered(reply)
    assert (request.status, request.error, request.attempts) == ("failed", "error:endpoint_unreachable", 3)
    reply.refresh_from_db()
    assert reply.text == DRAFT
    assert AuditEvent.objects.get(action="feedback.failed").data["error"] == "error:endpoint_unreachable"
    assert "endpoint_unreachable" in caplog.text
    assert not [secret for secret in (DRAFT, KEY, reply.post.text) if secret in caplog.text]


def test_the_participant_is_told_goes_on_writing_and_sends_the_reply(reply: Reply) -> None:
    browser = client_of(reply.participant)
    browser.post(reverse("feedback:ask", args=[reply.pk]), form(reply))
    work.work_queue()
    html = browser.get("/study/hailey/writing/").content.decode()
    assert "No feedback this time. Carry on writing" in html
    assert escape(DRAFT) in html
    replies.submit(reply=reply, text=f"{DRAFT} Take care.")
    reply.refresh_from_db()
    assert reply.text == f"{DRAFT} Take care."
    assert reply.submitted_at is not None


def test_a_missing_setting_is_told_by_row_and_log(
    reply: Reply, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("ATTUNE_ENDPOINT_URL")
    work.warm()
    assert "endpoint_unset while loading models" in caplog.text
    assert answered(reply).error == "error:endpoint_unset"
