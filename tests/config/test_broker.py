"""The filesystem broker hands over whole messages, however many write at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection

from config.broker import Transport, use_whole_messages

ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import json, sys
from kombu import Connection
from config.broker import use_whole_messages
use_whole_messages()
with Connection("filesystem://localhost", transport_options=json.loads(sys.argv[1])) as connection:
    queue = connection.SimpleQueue("feedback")
    for number in range(100):
        queue.put({"number": number, "padding": "x" * 5000})
"""


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, object]:
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    queue = str(tmp_path / "queue")
    return {"data_folder_in": queue, "data_folder_out": queue, "control_folder": str(tmp_path / "control")}


def connect(folders: dict[str, object]) -> Connection:
    use_whole_messages()
    return Connection("filesystem://localhost", transport_options=folders)


def test_filesystem_urls_use_this_transport(folders: dict[str, object]) -> None:
    with connect(folders) as connection:
        assert isinstance(connection.transport, Transport)


def test_a_message_is_never_taken_half_written(folders: dict[str, object]) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, json.dumps(folders)], cwd=ROOT) for _ in range(3)]
    with connect(folders) as connection:
        queue = connection.SimpleQueue("feedback")
        for _ in range(300):
            message = queue.get(timeout=20)
            assert len(message.payload["padding"]) == 5000
            message.ack()
    assert [writer.wait() for writer in writers] == [0, 0, 0]


def test_an_unfinished_message_is_no_message(folders: dict[str, object]) -> None:
    (Path(str(folders["data_folder_in"])) / "1_a.feedback.msg.part").write_text("{")
    with connect(folders) as connection, pytest.raises(Empty):
        connection.SimpleQueue("feedback").get(block=False)
