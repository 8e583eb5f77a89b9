"""A study whose rewriter is scripted by the test, and one reply in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from feedback import rewriters
from tests import builders
from tests.conftest import client_of
from tests.feedback.helpers import Scripted, protocol_with
from trial.models import Participant, Reply, Study
from trial.services import replies


@pytest.fixture
def rewriter() -> Iterator[Scripted]:
    scripted = Scripted()
    rewriters.register("scripted", lambda policy: scripted)
    yield scripted
    rewriters.unregister("scripted")


@pytest.fixture(scope="session")
def scripted_hailey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("protocols") / "hailey"
    return protocol_with(folder, rewriter="scripted", lease_seconds=2, timeout_seconds=60)


@pytest.fixture
def hailey(db: None, scripted_hailey: Path, rewriter: Scripted) -> Study:
    """HAILEY with the scripted rewriter, open."""
    return builders.study(folder=scripted_hailey)


@pytest.fixture
def reply(alice: Participant) -> Reply:
    """Alice's first reply, an empty draft."""
    current = replies.current(alice)
    assert current is not None
    return current


@pytest.fixture
def browser(alice: Participant) -> Client:
    return client_of(alice)
