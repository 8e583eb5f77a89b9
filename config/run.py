"""`make run`: prepare the demo, then keep web and worker going until one Ctrl-C stops both."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

Process = subprocess.Popen[bytes]
ROOT = Path(__file__).resolve().parent.parent
PORT = os.environ.get("PORT", "8000")
PREPARE = (
    ("migrate", "--verbosity", "0"),
    ("createcachetable",),
    ("create_roles",),
    ("load_protocol", "protocols/hailey"),
    ("seed_demo",),
)


def environment() -> dict[str, str]:
    """The demo's environment; whatever the caller set wins."""
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    return {"DEMO": "1", "HF_HUB_OFFLINE": "1", **threads, **os.environ}


def main() -> int:
    if not _port_is_free():
        print(f"Port {PORT} is in use. Choose another: make run PORT=8001", file=sys.stderr)
        return 1
    env = environment()
    prepare(env)
    site, helper = _start(web(), env), _start(worker(), env)
    print(_where(), flush=True)
    return _keep(site, helper, env)


def prepare(env: dict[str, str], *, quiet: bool = False) -> None:
    """Database, roles, study, demo accounts and the converted language model; quick when all is there."""
    for command in PREPARE:
        _run(["manage.py", *command], env, quiet=quiet)
    _open_study(env)
    _run(["-m", "ml.partner", "prepare"], env, quiet=quiet)


def _run(command: list[str], env: dict[str, str], *, quiet: bool = False) -> None:
    output = subprocess.DEVNULL if quiet else None
    subprocess.run([sys.executable, *command], cwd=ROOT, env=env, check=True, stdout=output)


def web() -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", "config.wsgi:application", "--bind", f"127.0.0.1:{PORT}"),
        *("--worker-class", "gthread", "--workers", "1", "--threads", "8", "--log-level", "warning"),
    ]


def worker() -> list[str]:
    return [
        *(sys.executable, "-m", "celery", "--quiet", "-A", "config", "worker", "--beat", "--pool", "solo"),
        *("--queues", "feedback,default", "--loglevel", "warning", "--without-gossip", "--without-mingle"),
    ]


def _open_study(env: dict[str, str]) -> None:
    """Open the study on the first run; on later runs it is open already, or wherever it was taken."""
    shell = "from trial.models import Study; print(Study.objects.get(slug='hailey').state)"
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", shell]
    found = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True)
    if found.stdout.strip().endswith("draft"):
        _run(["manage.py", "study", "hailey", "open"], env)


def _port_is_free() -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(PORT)))
        except OSError:
            return False
    return True


def _start(command: list[str], env: dict[str, str]) -> Process:
    return subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)


def _where() -> str:
    base = f"http://127.0.0.1:{PORT}"
    return "\n".join(
        (
            "",
            f"Attune is running at {base}",
            f"  take part            {base}/study/hailey/",
            f"  read the demo mails  {base}/demo/mail/",
            f"  study team           {base}/accounts/login/  (accounts and password above)",
            "  stop with Ctrl-C",
            "",
        )
    )


def _keep(site: Process, helper: Process, env: dict[str, str]) -> int:
    """Until Ctrl-C, a TERM or the end of the site; a worker that dies is started again."""
    # Shells start background jobs with INT ignored; TERM and INT both mean stop here.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.default_int_handler)
    code = 0
    try:
        while site.poll() is None:
            if helper.poll() is not None:
                print("The worker has ended; starting another.", file=sys.stderr)
                _kill_group(helper)
                helper = _start(worker(), env)
            time.sleep(1)
        code = 1
        print("The site has ended; stopping.", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nStopping.")
    for process in (site, helper):
        _stop(process)
    return code


def _stop(process: Process) -> None:
    """Ask the whole process group to end, and make it after ten seconds."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        _kill_group(process)


def _kill_group(process: Process) -> None:
    """End what a dead process left behind, such as the worker's beat."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
