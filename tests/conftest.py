"""Fixtures shared by the whole suite: one open study and the usual cast."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from tests import builders
from trial.models import Participant, Study


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    """Where ATTUNE_NO_SKIPS is set, a test that skips itself has failed."""
    report = yield
    if os.environ.get("ATTUNE_NO_SKIPS") and report.skipped:
        report.outcome = "failed"
    return report


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


@pytest.fixture
def hailey(db: None) -> Study:
    """The HAILEY study, open."""
    return builders.study()


@pytest.fixture
def alice(hailey: Study) -> Participant:
    """A participant with feedback, at her first post."""
    return builders.participant(hailey, intervention="feedback")


@pytest.fixture
def bob(hailey: Study) -> Participant:
    """A participant without, at his first post."""
    return builders.participant(hailey, intervention="none")


def client_of(person: Participant) -> Client:
    """A browser in which this participant is logged in."""
    client = Client()
    assert person.user is not None
    client.force_login(person.user)
    return client
