"""Celery's filesystem transport with whole messages.

kombu opens a file and then writes it, so a worker can read it before anything stands in it and die of
the JSON that is not there. Here messages and tables are written beside their place and renamed into it.
"""

from __future__ import annotations

import fcntl
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:  # type: ignore[override]
        """Add a message; kombu's readers take names that end in `.<queue>.msg`, oldest first."""
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        _write_whole(Path(self.data_folder_out) / name, dumps(payload))

    def _queue_bind(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str) -> None:
        """Add a queue to an exchange's table, one process at a time."""
        file = Path(self._exchange_file(exchange))  # type: ignore[attr-defined]  # missing in the stubs
        entry = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with file.with_suffix(".lock").open("wb") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            table = self.get_table(exchange)
            if entry not in table:
                _write_whole(file, dumps([entry, *table]))


def _write_whole(file: Path, text: str) -> None:
    part = file.with_name(f"{file.name}.{uuid.uuid4()}.part")
    part.write_text(text, encoding="utf-8")
    part.rename(file)


class Transport(filesystem.Transport):
    Channel = Channel


def use_whole_messages() -> None:
    """Make `filesystem://` mean this transport."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
