"""Taps and workers at the same moment, in processes of their own, on one SQLite file."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.processes import Stage
from tests.integration.stage import TEXT

MakeStage = Callable[..., tuple[Stage, str]]


@pytest.fixture
def stage(make_stage: MakeStage) -> tuple[Stage, str]:
    made, person = make_stage("tests.integration.slow_worker", rewriter="slow_once")
    (made.state_dir / "started").touch()
    return made, person


@pytest.mark.parametrize("keys", [["the-same-key"] * 4, [f"tap-number-{n}" for n in range(4)]])
def test_taps_at_the_same_moment_are_one_request(stage: tuple[Stage, str], keys: list[str]) -> None:
    place, person = stage
    told = place.act_at_once([("ask", person, key) for key in keys])
    stored = place.act("requests_of", person)["requests"]
    assert {answer["request"] for answer in told} == set(stored)
    assert len(stored) == 1
    assert place.act("state", stored[0])["text"] == TEXT


def test_workers_claiming_at_the_same_moment_share_the_requests(stage: tuple[Stage, str]) -> None:
    place, person = stage
    asked = {place.act("ask", person, f"tap-number-{n}", str(n))["request"] for n in range(1, 6)}
    told = place.act_at_once([("claim", f"worker:{n}") for n in range(4)])
    claimed = [request for answer in told for request in answer["claimed"]]
    assert sorted(claimed) == sorted(asked)


def test_workers_working_at_the_same_moment_answer_each_request_once(stage: tuple[Stage, str]) -> None:
    place, person = stage
    asked = [place.act("ask", person, f"tap-number-{n}", str(n))["request"] for n in range(1, 6)]
    told = place.act_at_once([("work_off",)] * 3)
    assert sum(answer["done"] for answer in told) == 5
    states = [place.act("state", request) for request in asked]
    assert [(state["status"], state["attempts"], len(state["suggestions"])) for state in states] == [("done", 1, 2)] * 5


def test_a_double_tap_on_a_pill_inserts_once(stage: tuple[Stage, str]) -> None:
    place, person = stage
    request = place.act("ask", person, "tap-number-1")["request"]
    place.act("work_off")
    told = place.act_at_once([("accept", request, "0")] * 4)
    assert {answer["text"] for answer in told} == {f"That sounds exhausting. {TEXT}"}
    assert place.act("state", request)["text"] == f"That sounds exhausting. {TEXT}"
