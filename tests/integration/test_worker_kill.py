"""Kill -9 a real Celery worker during an inference: nothing is lost, nothing is stored twice."""

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


def finished(state: dict[str, Any]) -> bool:
    return state["status"] in ("done", "failed", "expired")


def test_a_worker_killed_during_an_inference_loses_nothing(
    make_stage: Callable[..., tuple[Stage, str]],
) -> None:
    stage, person = make_stage("tests.integration.slow_worker", rewriter="slow_once", lease_seconds=15)
    worker = stage.start_worker()
    request = stage.act("ask", person, "tap-of-the-test")["request"]
    started = stage.state_dir / "started"
    end = time.monotonic() + LIMIT
    while not started.exists():
        assert time.monotonic() < end, "the worker never began"
        time.sleep(0.05)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait(timeout=10)
    killed = stage.act("state", request)
    assert (killed["status"], killed["suggestions"], killed["text"]) == ("running", [], TEXT)

    stage.start_worker()
    state = stage.until(request, finished, LIMIT)
    assert (state["status"], state["attempts"]) == ("done", 2)
    assert state["suggestions"] == ["That sounds exhausting.", "What would help tonight?"]
    assert state["text"] == TEXT
    time.sleep(2)
    assert stage.act("state", request) == state


def test_a_request_made_while_no_worker_runs_is_answered_when_one_comes(
    make_stage: Callable[..., tuple[Stage, str]],
) -> None:
    stage, person = make_stage("tests.integration.slow_worker", rewriter="slow_once", lease_seconds=15)
    (stage.state_dir / "started").touch()
    request = stage.act("ask", person, "tap-of-the-test")["request"]
    for message in (stage.state_dir / "broker" / "queue").iterdir():
        message.unlink()
    stage.start_worker()
    state = stage.until(request, finished, LIMIT)
    assert (state["status"], len(state["suggestions"])) == ("done", 2)


@pytest.mark.models
def test_a_worker_killed_with_the_real_models_recovers(
    make_stage: Callable[..., tuple[Stage, str]],
) -> None:
    stage, person = make_stage("config")
    worker = stage.start_worker()
    request = stage.act("ask", person, "tap-of-the-test")["request"]
    stage.until(request, lambda state: state["status"] != "queued", 60)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait(timeout=10)
    stage.start_worker()
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    state = stage.until(request, finished, LIMIT * busy)
    assert state["status"] in ("done", "failed")
    assert len(state["suggestions"]) == len(set(state["suggestions"])) <= 3
    assert state["text"] == TEXT
