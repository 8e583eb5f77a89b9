"""Run a management command in the demo's environment, its database prepared first."""

from __future__ import annotations

import os
import subprocess
import sys

from config.run import PREPARE, ROOT, environment, open_study


def main() -> int:
    env = environment()
    quiet = {"stdout": subprocess.DEVNULL}
    for command in PREPARE:
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=env, check=True, **quiet)  # type: ignore[call-overload]
    open_study(env)
    os.chdir(ROOT)
    os.execve(sys.executable, [sys.executable, "manage.py", *sys.argv[1:]], env)


if __name__ == "__main__":
    sys.exit(main())
