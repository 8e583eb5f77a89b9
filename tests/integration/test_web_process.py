"""The web process stays light: models belong to workers."""

from __future__ import annotations

from collections.abc import Callable

from tests.integration.processes import Stage


def test_a_web_process_never_loads_a_model_library(make_stage: Callable[..., tuple[Stage, str]]) -> None:
    stage, person = make_stage("config")
    told = stage.act("visit", person)
    assert told["statuses"] == [200] * 4
    assert told["heavy"] == []
    (request,) = stage.act("requests_of", person)["requests"]
    assert stage.act("state", request)["status"] == "queued"
