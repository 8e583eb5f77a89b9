"""Time from a tap on the help box to the first suggestion on the page: `python benchmarks/tap_to_suggestion.py`.

Starts a web and a worker process on a fresh state folder (or uses the running site of `--site`,
whose STATE_DIR must then be given), lets `--waiting` participants tap at once, `--taps` times,
and follows each page's own polling until suggestions are there. Prints median and p95.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import re
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

ROOT = Path(__file__).resolve().parent.parent
DRAFTS = (
    "Don't worry! You will be fine.",
    "That is bad. You should talk to them and tell them how you feel about it.",
    "hey, same here. it gets better i guess",
    "Have you tried making a list? It helps me when there is too much to do. Also sleep more.",
    "Sounds like a lot.",
)
LOOK = re.compile(r'hx-get="([^"]+)"[^>]*delay:(\d+)ms')
STATE = re.compile(r'data-help="(\w+)"')
ASK = re.compile(r'formaction="(/feedback/replies/\d+/ask/)"')
HIDDEN = re.compile(r'name="(csrfmiddlewaretoken|revision|key|window)" value="([^"]*)"')


@dataclass(frozen=True)
class Tap:
    seconds: float
    state: str


class Page:
    """One participant's writing page, as a browser without rendering."""

    def __init__(self, base: str, session: str) -> None:
        where = urlsplit(base)
        assert where.hostname is not None
        self.host, self.port = where.hostname, where.port or 80
        self.cookies = {"sessionid": session}

    def fetch(self, path: str, fields: dict[str, str] | None = None) -> str:
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), "HX-Request": "true"}
        body = urlencode(fields) if fields is not None else None
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read().decode()
        connection.close()
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        if answer.status != http.client.OK:
            raise RuntimeError(f"{path} answered {answer.status}")
        return content

    def tap(self, draft: str) -> Tap:
        """Ask for help on a draft, and poll as the page would until the answer is there."""
        html = self.fetch("/study/hailey/writing/")
        ask = ASK.search(html)
        if ask is None:
            raise RuntimeError("the help box offers nothing to tap")
        fields = dict(HIDDEN.findall(html)) | {"text": draft, "key": secrets.token_urlsafe(16)}
        started = time.perf_counter()
        html = self.fetch(ask[1], fields)
        while look := LOOK.search(html):
            time.sleep(int(look[2]) / 1000)
            html = self.fetch(look[1])
        state = STATE.search(html)
        return Tap(time.perf_counter() - started, state[1] if state else "unknown")


def participants(state_dir: Path, number: int) -> list[str]:
    """Session cookies of so many participants with feedback, each at the first post."""
    command = [sys.executable, "-m", "tests.integration.stage", "newcomer", "feedback"]
    go = state_dir / "go"
    go.touch()
    env = environment(state_dir) | {"GO_FILE": str(go), "DJANGO_SETTINGS_MODULE": "config.settings"}
    told = [
        subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True) for _ in range(number)
    ]
    return [found[1] for t in told if (found := re.search(r'"session": "(\w+)"', t.stdout))]


def environment(state_dir: Path, **more: str) -> dict[str, str]:
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    cache = {"ATTUNE_MODEL_CACHE": os.environ.get("ATTUNE_MODEL_CACHE", str(ROOT / "var" / "models"))}
    return {**os.environ, "DEMO": "1", "HF_HUB_OFFLINE": "1", "STATE_DIR": str(state_dir), **threads, **cache, **more}


@contextlib.contextmanager
def own_site() -> Iterator[tuple[str, Path]]:
    """`make run` on a free port and a fresh state folder, ready to answer."""
    with tempfile.TemporaryDirectory(prefix="attune-bench-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        env = environment(Path(folder), PORT=str(port))
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            [sys.executable, "-m", "config.run"], cwd=ROOT, env=env, stdout=quiet, start_new_session=True
        )
        try:
            base = f"http://127.0.0.1:{port}"
            _wait(port, process)
            yield base, Path(folder)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError("the site did not start")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.5)
    raise RuntimeError("the site did not start in five minutes")


def measure(base: str, sessions: list[str], taps: int) -> list[Tap]:
    """Everybody taps at the same time, again and again, each time on another draft."""
    pages = [Page(base, session) for session in sessions]
    pages[0].tap("First, so that the worker is up.")
    done: list[Tap] = []
    with ThreadPoolExecutor(len(pages)) as pool:
        for number in range(taps):
            drafts = [f"{DRAFTS[(number + n) % len(DRAFTS)]} {number}" for n in range(len(pages))]
            done += pool.map(Page.tap, pages, drafts)
    return done


def report(taps: list[Tap], waiting: int) -> str:
    seconds = sorted(tap.seconds for tap in taps)
    states = {state: sum(tap.state == state for tap in taps) for state in {tap.state for tap in taps}}
    p95 = seconds[min(len(seconds) - 1, round(0.95 * (len(seconds) - 1)))]
    told = ", ".join(f"{state} {count}" for state, count in sorted(states.items()))
    return (
        f"{waiting} waiting: {len(taps)} taps, median {statistics.median(seconds):.2f} s, "
        f"p95 {p95:.2f} s, slowest {seconds[-1]:.2f} s ({told}); load {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--taps", type=int, default=20, help="taps of each participant")
    parser.add_argument("--waiting", type=int, nargs="+", default=[1, 4], help="how many tap at once")
    parser.add_argument("--site", help="a running site, with STATE_DIR in the environment")
    options = parser.parse_args()
    running = (options.site, Path(os.environ.get("STATE_DIR", ROOT / "var")))
    with contextlib.nullcontext(running) if options.site else own_site() as (base, state_dir):
        for waiting in options.waiting:
            taps = measure(base, participants(state_dir, waiting), options.taps)
            print(report(taps, waiting), flush=True)


if __name__ == "__main__":
    main()
