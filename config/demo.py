"""Run a management command in the demo's environment, its database prepared first."""

from __future__ import annotations

import os
import sys

from config.run import ROOT, environment, prepare


def main() -> None:
    env = environment()
    prepare(env, quiet=True)
    os.chdir(ROOT)
    os.execve(sys.executable, [sys.executable, "manage.py", *sys.argv[1:]], env)


if __name__ == "__main__":
    main()
