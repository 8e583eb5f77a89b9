"""The post is read by a worker while the participant reads it; whatever comes of that, nobody waits or is told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client, TestCase, override_settings

from config.celery import app
from feedback import rewriters, tasks
from feedback.models import FeedbackRequest
from feedback.services import requests, work
from tests.conftest import client_of
from tests.feedback.helpers import DRAFT, PAGE, Scripted, answered, asked, form
from trial.models import Participant, Reply
from trial.protocol import FeedbackPolicy
from trial.services import replies


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Tasks are sent for real, through a folder that is not there."""
    gone = str(tmp_path / "gone")
    away = {
        "task_always_eager": False,
        "task_publish_retry": False,
        "broker_transport_options": {"data_folder_in": gone, "data_folder_out": gone, "control_folder": gone},
    }
    before = {name: app.conf[name] for name in away}
    # Connections that other tests may have opened are put aside, and those of this one forgotten.
    monkeypatch.setattr(app, "_pool", None)
    monkeypatch.setattr(app.amqp, "_producer_pool", None)
    app.conf.update(away)
    yield
    app.conf.update(before)


def opened(client: Client) -> int:
    """How many tasks the page sends for; they are run."""
    with TestCase.captureOnCommitCallbacks(execute=True) as calls:
        assert client.get(PAGE).status_code == 200
    return len(calls)


# --- The page -----------------------------------------------------------------------------------


def test_opening_the_page_lets_the_rewriter_read_the_post(browser: Client, reply: Reply, rewriter: Scripted) -> None:
    assert opened(browser) == 1
    assert rewriter.prepared == [reply.post.text]
    assert rewriter.calls == []
    assert not FeedbackRequest.objects.exists()


def test_a_post_is_read_once_however_often_and_by_whomever_it_is_opened(
    browser: Client, reply: Reply, rewriter: Scripted
) -> None:
    opened(browser)
    assert [opened(browser) for _ in range(3)] == [0, 0, 0]
    with TestCase.captureOnCommitCallbacks(execute=True) as calls:
        requests.prepare(Reply(post=reply.post))
    assert not calls
    assert rewriter.prepared == [reply.post.text]


def test_after_a_while_a_post_is_read_again(
    browser: Client, reply: Reply, rewriter: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "PREPARED_SECONDS", 0)
    opened(browser)
    opened(browser)
    assert rewriter.prepared == [reply.post.text] * 2


def test_the_next_post_is_read_in_its_turn(browser: Client, reply: Reply, rewriter: Scripted) -> None:
    opened(browser)
    browser.post(PAGE, form(reply, DRAFT, action="next"))
    opened(browser)
    following = replies.current(reply.participant)
    assert following is not None
    assert rewriter.prepared == [reply.post.text, following.post.text]
    assert len(set(rewriter.prepared)) == 2


def test_a_page_that_shows_an_answer_prepares_nothing(browser: Client, reply: Reply, rewriter: Scripted) -> None:
    answered(reply)
    assert opened(browser) == 0
    assert rewriter.prepared == []


def test_in_control_nothing_is_read(bob: Participant, rewriter: Scripted) -> None:
    assert opened(client_of(bob)) == 0
    assert rewriter.prepared == []


# --- The task -----------------------------------------------------------------------------------


def test_whoever_waits_comes_before_whoever_only_reads(reply: Reply, rewriter: Scripted) -> None:
    request = asked(reply)
    statuses: list[str] = []
    rewriter.ahead = lambda _: statuses.append(rewriter.calls[0][1])
    tasks.prepare_post(reply.post_id)
    request.refresh_from_db()
    assert request.status == "done"
    assert statuses == [DRAFT], "the draft was answered when the post came to be read"
    assert rewriter.prepared == [reply.post.text]


def test_a_rewriter_that_raises_while_it_reads_harms_nothing(
    browser: Client, reply: Reply, rewriter: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(post: str) -> None:
        raise ValueError(post)

    rewriter.ahead = broken
    with caplog.at_level(logging.ERROR):
        opened(browser)
    assert rewriter.prepared == [reply.post.text]
    assert f"post {reply.post.code} cannot be prepared: ValueError" in caplog.text
    assert reply.post.text not in caplog.text
    assert answered(reply).status == "done"


def test_a_rewriter_that_hangs_while_it_reads_is_left_behind(
    browser: Client, reply: Reply, rewriter: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    later = threading.Event()

    def hanging(post: str) -> None:
        later.wait(20)

    rewriter.ahead = hanging
    with caplog.at_level(logging.ERROR):
        opened(browser)  # comes back after a lease, two seconds here
    assert f"post {reply.post.code} cannot be prepared: HungError" in caplog.text
    assert answered(reply).status == "done"
    later.set()


def test_a_rewriter_that_cannot_be_loaded_is_told_and_harms_nothing(
    browser: Client, reply: Reply, rewriter: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    def away(policy: FeedbackPolicy) -> Scripted:
        raise LookupError(policy.rewriter)

    rewriters.register("scripted", away)
    with caplog.at_level(logging.ERROR):
        assert opened(browser) == 1
    assert f"post {reply.post.code} cannot be prepared: LookupError" in caplog.text
    rewriters.register("scripted", lambda _: rewriter)
    assert answered(reply).status == "done"


def test_preparing_changes_no_row(reply: Reply, rewriter: Scripted) -> None:
    before = Reply.objects.values().get(pk=reply.pk)
    work.prepare(reply.post)
    assert Reply.objects.values().get(pk=reply.pk) == before
    assert not FeedbackRequest.objects.exists()


# --- What may be away ---------------------------------------------------------------------------


@pytest.mark.usefixtures("no_broker")
def test_without_a_broker_nothing_can_be_sent() -> None:
    with pytest.raises(OSError, match="gone"):
        tasks.process_feedback.delay()


@pytest.mark.usefixtures("no_broker")
def test_a_broker_that_is_away_does_not_break_the_page(browser: Client, reply: Reply, rewriter: Scripted) -> None:
    assert opened(browser) == 1
    assert rewriter.prepared == []


def test_a_cache_that_is_away_does_not_break_the_page(browser: Client, reply: Reply) -> None:
    away = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"}
    with override_settings(CACHES={"default": away}):
        opened(browser)
