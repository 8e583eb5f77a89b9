"""A running site with its worker, as `make run` starts it, and headless Chromium."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = {
    "executable_path": os.environ.get("CHROMIUM", "/usr/bin/chromium"),
    "args": [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ],
}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
# Closed ports: a site that tried PostgreSQL or Redis would fail instead of finding this machine's.
REFUSED = {"PGHOST": "127.0.0.1", "PGPORT": "9", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": "9"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a fresh demo in a state folder of its own, or the one that ATTUNE_SITE names."""
    if os.environ.get("ATTUNE_SITE"):
        yield os.environ["ATTUNE_SITE"]
        return
    state, port = tmp_path_factory.mktemp("state"), free_port()
    models = os.environ.get("ATTUNE_MODEL_CACHE", str(ROOT / "var" / "models"))
    clean = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("DJANGO_", "DEBUG", "TEST_", "DATABASE", "REDIS", "CELERY"))
    }
    env = (
        clean
        | REFUSED
        | {
            "PORT": str(port),
            "STATE_DIR": str(state),
            "ATTUNE_MODEL_CACHE": models,
            "DEMO": "1",
        }
    )
    with (state / "run.log").open("wb") as log:
        command = [sys.executable, "-m", "config.run"]
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)
    base = f"http://127.0.0.1:{port}"
    try:
        _wait(base, process, state / "run.log")
        yield base
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def _wait(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise AssertionError(log.read_text())
        try:
            urllib.request.urlopen(base, timeout=5)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
        else:
            return
    raise AssertionError(log.read_text())


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(**CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(**PHONE)
    yield context
    context.close()
