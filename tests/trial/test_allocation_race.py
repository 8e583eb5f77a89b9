"""Eight processes allocate 320 participants at once, with the production settings.

Two processes ask for each participant, as two tabs would: both must be told the same place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from benchmarks.allocate import Race, race

PARTICIPANTS, PROCESSES = 320, 8
DATABASE = "attune_race"


def run_in(folder: Path, database: str = "") -> Race:
    return race(folder=folder, participants=PARTICIPANTS, processes=PROCESSES, database=database, twice=True)


def check(run: Race) -> None:
    assert run.together > 0, "the processes did not overlap, so nothing was raced"
    people = [person for person, _ in run.rows]
    assert len(people) == len(set(people)) == PARTICIPANTS
    assert [position for _, position in run.rows] == list(range(1, PARTICIPANTS + 1))
    kept = dict(run.rows)
    told = [item for attempt in run.attempts for item in attempt.positions]
    assert len(told) == 2 * PARTICIPANTS
    assert all(kept[person] == position for person, position in told)
    assert (run.differences, run.breaks) == ([], [])


def test_eight_processes_allocate_320_participants_on_sqlite(tmp_path: Path) -> None:
    check(run_in(tmp_path))


@pytest.fixture
def postgres() -> Iterator[str]:
    """The address of an empty database of this test's own."""
    server = os.environ.get("TEST_POSTGRES_URL", "")
    if not server:
        pytest.skip("TEST_POSTGRES_URL is not set")
    base = server.rsplit("/", 1)[0]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
        yield f"{base}/{DATABASE}"
        connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


@pytest.mark.postgres
def test_eight_processes_allocate_320_participants_on_postgresql(tmp_path: Path, postgres: str) -> None:
    check(run_in(tmp_path, postgres))
