"""A Celery application with rewriters that tests can foresee: `celery -A tests.integration.slow_worker`."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from pathlib import Path

from config.celery import app
from feedback import rewriters
from ml.text import sentences
from ml.types import Edit, Proposal, Release

__all__ = ["app"]


class SlowOnce:
    """Takes very long the first time; the file `started` in STATE_DIR tells that this time has come."""

    release = Release("slow_once", "1", "0" * 64)

    def propose(self, post: str, reply: str, *, seed: int, exclude: Collection[str] = (), limit: int = 3) -> Proposal:
        if seed:  # warming asks with seed 0
            self._linger()
        edits = (
            Edit("insert", 0, "", "That sounds exhausting.", 1.0, 2.0),
            Edit("insert", 1, "", "What would help tonight?", 1.0, 2.0),
        )
        return Proposal("suggestions", None, edits, seconds=0.0)

    def prepare(self, post: str) -> None:
        """It is slow when asked, and not before."""

    def _linger(self) -> None:
        started = Path(os.environ["STATE_DIR"]) / "started"
        if not started.exists():
            started.touch()
            time.sleep(120)


class Told:
    """Does what the reply says: `crash`, `wonderful` for nothing needed, else one edit of each kind."""

    release = Release("told", "1", "0" * 64)

    def propose(self, post: str, reply: str, *, seed: int, exclude: Collection[str] = (), limit: int = 3) -> Proposal:
        if "crash" in reply:
            raise RuntimeError
        if "wonderful" in reply:
            return Proposal("nothing_needed", None)
        time.sleep(0.3)
        found = sentences(reply)
        again = " once more" if exclude else ""
        edits = [Edit("insert", len(found), "", f"What would help tonight{again}?", 1.0, 2.0)]
        if found:
            edits.insert(0, Edit("replace", 0, found[0].text, f"That sounds exhausting{again}.", 1.0, 2.0))
        return Proposal("suggestions", None, tuple(edits))

    def prepare(self, post: str) -> None:
        """It does what the reply says, and has none yet."""


rewriters.register("told", lambda policy: Told())
rewriters.register("slow_once", lambda policy: SlowOnce())
