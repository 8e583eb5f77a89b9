"""A stage of real processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.feedback.helpers import protocol_with
from tests.integration.processes import Stage


@pytest.fixture
def make_stage(tmp_path: Path) -> Iterator[Callable[..., tuple[Stage, str]]]:
    stages: list[Stage] = []

    def make(application: str, **policy: object) -> tuple[Stage, str]:
        stage = Stage(tmp_path, application)
        stages.append(stage)
        folder = protocol_with(tmp_path / "hailey", **policy)
        return stage, str(stage.act("prepare", str(folder))["participant"])

    yield make
    for stage in stages:
        stage.stop()
