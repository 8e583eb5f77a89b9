"""Production's broker and cache: a worker woken through Redis, killed, and started again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.processes import Stage
from tests.integration.stage import TEXT

LIMIT = 30
pytestmark = pytest.mark.redis


@pytest.fixture
def on_redis(make_stage: Callable[..., tuple[Stage, str]]) -> tuple[Stage, str]:
    url = os.environ["TEST_REDIS_URL"]
    stage, person = make_stage("tests.integration.slow_worker", rewriter="slow_once", lease_seconds=15)
    stage.env |= {"CELERY_BROKER_URL": url, "REDIS_URL": url}
    return stage, person


def finished(state: dict[str, Any]) -> bool:
    return bool(state["status"] in ("done", "failed", "expired"))


def test_a_tap_wakes_a_worker_through_redis(on_redis: tuple[Stage, str]) -> None:
    stage, person = on_redis
    (stage.state_dir / "started").touch()
    stage.start_worker()
    request = stage.act("ask", person, "tap-of-the-test")["request"]
    state = stage.until(request, finished, LIMIT)
    assert (state["status"], len(state["suggestions"])) == ("done", 2)


def test_a_worker_killed_on_redis_loses_nothing(on_redis: tuple[Stage, str]) -> None:
    stage, person = on_redis
    worker = stage.start_worker()
    request = stage.act("ask", person, "tap-of-the-test")["request"]
    end = time.monotonic() + LIMIT
    while not (stage.state_dir / "started").exists():
        assert time.monotonic() < end, "the worker never began"
        time.sleep(0.05)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait(timeout=10)
    stage.start_worker()
    state = stage.until(request, finished, LIMIT)
    assert (state["status"], state["text"], len(state["suggestions"])) == ("done", TEXT, 2)
