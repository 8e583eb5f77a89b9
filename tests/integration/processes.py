"""Real processes on one state folder: SQLite, the filesystem broker, workers, and acts beside them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OURS = ("DATABASE_URL", "CELERY_BROKER_URL", "REDIS_URL", "EMAIL_URL", "TEST_DATABASE_URL")


class Stage:
    """A site's state folder, and workers on it: SQLite and the filesystem broker, as in `make run`."""

    def __init__(self, folder: Path, application: str) -> None:
        self.application = application
        self.started: list[subprocess.Popen[bytes]] = []
        self.state_dir = folder / "state"
        self.env = {
            **{name: value for name, value in os.environ.items() if name not in OURS},
            "DEBUG": "1",
            "STATE_DIR": str(self.state_dir),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
        }

    def act(self, *args: str) -> dict[str, Any]:
        (told,) = self.act_at_once([args])
        return told

    def act_at_once(self, acts: list[tuple[str, ...]]) -> list[dict[str, Any]]:
        """Each act in a process of its own, all let go in one moment."""
        go = self.state_dir.parent / "go"
        go.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.integration.stage"]
        env = self.env | {"GO_FILE": str(go)}
        processes = [
            subprocess.Popen([*command, *act], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) for act in acts
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        go.touch()
        return [json.loads(process.communicate(timeout=60)[0]) for process in processes]

    def start_worker(self) -> subprocess.Popen[bytes]:
        command = [
            *(sys.executable, "-m", "celery", "-A", self.application, "worker", "--beat", "--pool", "solo"),
            *("--queues", "feedback,default", "--loglevel", "warning", "--without-gossip", "--without-mingle"),
        ]
        return self._start(command)

    def start_web(self, port: int) -> subprocess.Popen[bytes]:
        return self._start(
            [
                *(sys.executable, "-m", "gunicorn", "config.wsgi:application", "--bind", f"127.0.0.1:{port}"),
                *("--worker-class", "gthread", "--threads", "8", "--log-level", "warning"),
            ]
        )

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, cwd=ROOT, env=self.env, start_new_session=True)
        self.started.append(process)
        return process

    def stop(self) -> None:
        for process in self.started:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait(timeout=10)

    def until(self, request: str, reached: Callable[[dict[str, Any]], bool], seconds: float) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while True:
            state = self.act("state", request)
            if reached(state):
                return state
            assert time.monotonic() < end, f"after {seconds} s: {state}"
