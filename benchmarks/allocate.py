"""Allocations per second, by one process and by eight at once, with the production settings.

    python benchmarks/allocate.py [--participants 320] [--database postgres://...]

Every run has a database of its own, and ends by replaying the ledger and walking the audit trail.
"""

from __future__ import annotations

import argparse
import base64
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FORK = multiprocessing.get_context("fork")
_start: Any = None


@dataclass(frozen=True)
class Attempt:
    """What one process was told: the position of each participant that it asked for."""

    began: float
    ended: float
    positions: list[tuple[int, int]]


@dataclass(frozen=True)
class Race:
    """One run: what each process was told, and what stands in the database afterwards."""

    attempts: tuple[Attempt, ...]
    rows: list[tuple[int, int]]
    differences: list[str]
    breaks: list[str]

    @property
    def seconds(self) -> float:
        return max(a.ended for a in self.attempts) - min(a.began for a in self.attempts)

    @property
    def together(self) -> float:
        """Seconds in which every process was at work."""
        return min(a.ended for a in self.attempts) - max(a.began for a in self.attempts)


def race(*, folder: Path, participants: int, processes: int, database: str = "", twice: bool = False) -> Race:
    """Allocate all participants by several processes at once; `twice` lets two ask for each one."""
    command = [sys.executable, "-m", "benchmarks.allocate", "--inside", str(participants), str(processes)]
    done = subprocess.run(
        [*command, *(["--twice"] if twice else [])],
        cwd=ROOT,
        env=_environment(folder, database),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    told = json.loads(done.stdout)
    attempts = tuple(Attempt(a["began"], a["ended"], a["positions"]) for a in told["attempts"])
    return Race(attempts, told["rows"], told["differences"], told["breaks"])


def _environment(folder: Path, database: str) -> dict[str, str]:
    """The production settings: nothing is taken over from the caller's environment."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": "benchmark-" + "x" * 50,
        "FIELD_ENCRYPTION_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "STATE_DIR": str(folder),
        "DATABASE_URL": database,
        "LOG_LEVEL": "WARNING",
    }


# --- Inside, with Django ------------------------------------------------------------------


def inside(participants: int, processes: int, *, twice: bool) -> dict[str, Any]:
    """Prepare a study, fork the processes, let them all go at once, and look at what they left."""
    import django
    from django.db import connection

    django.setup()
    people = prepare(participants)
    shares = [people[n::processes] for n in range(processes)]
    if twice:
        shares = [_alternate(mine, shares[n - 1]) for n, mine in enumerate(shares)]
    connection.close()
    getattr(connection, "close_pool", lambda: None)()  # PostgreSQL's; its threads must not be forked
    start = FORK.Barrier(processes)
    with FORK.Pool(processes, _wait_for, (start,)) as pool:
        attempts = pool.map(work, shares, chunksize=1)
    return {"attempts": attempts, **inspect()}


def _wait_for(start: Any) -> None:
    global _start  # noqa: PLW0603 - a pool hands its processes a barrier in no other way
    _start = start


def _alternate(first: list[int], second: list[int]) -> list[int]:
    return [pk for pair in zip(first, reversed(second), strict=True) for pk in pair]


def prepare(count: int) -> list[int]:
    """An open study and people at the end of their training, in equal parts of each stratum."""
    from django.core.management import call_command
    from django.utils import timezone

    from trial.models import Participant, SurveyResponse
    from trial.progress import State
    from trial.services import studies

    call_command("migrate", verbosity=0)
    version, _ = studies.load_protocol(folder=ROOT / "protocols" / "hailey")
    study = studies.act(study=version.study, name="open")
    levels = [option.value for option in version.protocol.stratum_item("pre.difficulty").options]
    people = Participant.objects.bulk_create(
        Participant(study=study, version=version, state=State.TRAINING) for _ in range(count)
    )
    SurveyResponse.objects.bulk_create(
        SurveyResponse(
            participant=person,
            survey="pre",
            answers={"difficulty": levels[n % len(levels)]},
            submitted_at=timezone.now(),
        )
        for n, person in enumerate(people)
    )
    return [person.pk for person in people]


def work(share: list[int]) -> dict[str, Any]:
    """Allocate each participant of the share as a request would, once every process is ready."""
    from django.db import connection

    from trial.models import Participant
    from trial.services import allocation

    connection.ensure_connection()
    _start.wait(timeout=60)
    began = time.time()
    positions = [(pk, allocation.allocate(participant=Participant.objects.get(pk=pk)).position) for pk in share]
    return {"began": began, "ended": time.time(), "positions": positions}


def inspect() -> dict[str, Any]:
    from trial.models import Allocation, Study
    from trial.services import allocation, audit

    study = Study.objects.get()
    return {
        "rows": list(Allocation.objects.order_by("position").values_list("participant_id", "position")),
        "differences": [str(difference) for difference in allocation.verify(study)],
        "breaks": [f"#{place.seq} {place.reason}" for place in audit.breaks()],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--participants", type=int, default=320)
    parser.add_argument("--database", default="", help="URL of an empty PostgreSQL database")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--inside", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--twice", action="store_true", help="let two processes ask for each participant")
    chosen = parser.parse_args()
    if chosen.inside:
        print(json.dumps(inside(*chosen.inside, twice=chosen.twice)))
        return
    print(f"{'processes':>9}  {'allocations':>11}  {'seconds':>7}  {'per second':>10}  replay, audit trail")
    for processes in chosen.processes:
        _report(processes, chosen.participants, chosen.database)


def _report(processes: int, participants: int, database: str) -> None:
    with tempfile.TemporaryDirectory(prefix="attune-bench-") as folder:
        run = race(folder=Path(folder), participants=participants, processes=processes, database=database)
    verdict = "clean" if not (run.differences or run.breaks) else f"{run.differences} {run.breaks}"
    rate = len(run.rows) / run.seconds
    print(f"{processes:>9}  {len(run.rows):>11}  {run.seconds:>7.2f}  {rate:>10.1f}  {verdict}")


if __name__ == "__main__":
    main()
