"""A Celery application whose rewriter takes very long the first time: `celery -A tests.integration.slow_worker`.

The folder STATE_DIR tells what it did: `started` is there from the first inference on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from pathlib import Path

from config.celery import app
from feedback import rewriters
from ml.types import Edit, Proposal, Release

__all__ = ["app"]


class SlowOnce:
    release = Release("slow_once", "1", "0" * 64)

    def propose(self, post: str, reply: str, *, seed: int, exclude: Collection[str] = (), limit: int = 3) -> Proposal:
        if seed:  # warming asks with seed 0
            self._linger()
        edits = (
            Edit("insert", 0, "", "That sounds exhausting.", 1.0, 2.0),
            Edit("insert", 1, "", "What would help tonight?", 1.0, 2.0),
        )
        return Proposal("suggestions", None, edits, seconds=0.0)

    def _linger(self) -> None:
        started = Path(os.environ["STATE_DIR"]) / "started"
        if not started.exists():
            started.touch()
            time.sleep(120)


rewriters.register("slow_once", lambda policy: SlowOnce())
