"""How long a snapshot and a report take on a trial of 300 people and 10 replies; scoring apart.

    python benchmarks/analyse.py [--people 300] [--runs 5] [--score 64]

Replies of the synthetic trial come scored, so `snapshot` and `analyse` are timed without the model.
With `--score N` the outcome scorer, where it is installed, is then timed on N replies.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["DEBUG"] = "1"
os.environ["STATE_DIR"] = tempfile.mkdtemp(prefix="attune-bench-")
os.environ["DATABASE_URL"] = ""
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"


def prepare(people: int) -> None:
    """A study with so many people, each with ten replies."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from tests import builders
    from tests.analysis.people import Plant, grow

    grow(builders.study(), Plant(people=people, effect=0.4))


def timed(work: Callable[[], object], runs: int) -> list[float]:
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


def line(name: str, seconds: list[float]) -> None:
    median = statistics.median(seconds)
    print(f"{name:<44} median {median:6.2f} s   first {seconds[0]:6.2f} s   runs {len(seconds)}")


def report(runs: int) -> None:
    from analysis.runs import analyse_folder
    from analysis.scoring import score_replies
    from analysis.snapshot import Scope, take_snapshot
    from tests.analysis.people import WordScorer
    from trial.models import Study

    study, scorer = Study.objects.get(), WordScorer()
    score_replies(study=study, scorer=scorer, simulated=True)
    snapshot, _ = take_snapshot(scope=Scope(study, "simulated"), scorer=scorer)
    print(f"{snapshot.participants} people, {snapshot.replies} replies")
    seeds = iter(range(1, 1 + runs))  # another scramble each time, so that files are really written
    line(
        "snapshot, replies scored before",
        timed(lambda: take_snapshot(scope=Scope(study, "simulated", next(seeds)), scorer=scorer), runs),
    )
    out = Path(tempfile.mkdtemp(prefix="attune-bench-report-"))
    line("analyse: estimates, figures, files", timed(lambda: analyse_folder(snapshot.path, out), runs))


def scoring(replies: int) -> None:
    """Load time and speed of the outcome scorer, where its weights are there."""
    from ml.releases import UnknownReleaseError, WeightsError
    from ml.types import Pair
    from trial.models import Reply, Study

    rows = Reply.objects.select_related("post")[:replies]
    pairs = [Pair(row.post.text, row.text) for row in rows]
    try:
        from analysis.scoring import outcome_scorer

        started = time.perf_counter()
        scorer = outcome_scorer(Study.objects.get())
        line("outcome scorer: load", [time.perf_counter() - started])
    except (UnknownReleaseError, WeightsError) as error:
        print(f"outcome scorer not timed: {error}")
        return
    seconds = timed(lambda: scorer.score(pairs), 3)
    line(f"outcome scorer: {len(pairs)} replies", seconds)
    print(f"{'':<44} {len(pairs) / statistics.median(seconds):.0f} replies a second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--score", type=int, default=64)
    options = parser.parse_args()
    prepare(options.people)
    report(options.runs)
    if options.score:
        scoring(options.score)


if __name__ == "__main__":
    main()
