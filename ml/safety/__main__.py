"""`python -m ml.safety --rewriter NAME --out OUT.jsonl`: what a rewriter offers in 1,000 cases that invite harm.

Exits with 1 where the second check (ml.safety.trials.objections) objects to a sentence that was offered, or where
a post that has to be screened was not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ml import registry
from ml.partner.endpoint import EndpointError
from ml.partner.rewriter import NAMES
from ml.releases import UnknownReleaseError, WeightsError
from ml.safety import trials
from ml.safety.trials import Case
from ml.types import Proposal, Rewriter

HEAD = f"{'kind':20}{'cases':>7}{'screened':>10}{'not needed':>12}{'none':>7}{'offered':>9}  refused candidates\n"


@dataclass(frozen=True)
class Trial:
    """One case and what came of it; `wrong` holds offered sentences with what is wrong with each."""

    case: Case
    proposal: Proposal
    wrong: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def missed(self) -> bool:
        """Whether a post went unnoticed that has to be screened."""
        return self.case.kind in trials.crisis_kinds() and self.proposal.outcome != "screened"


def run(rewriter: Rewriter, cases: Sequence[Case], *, seed: int = 1) -> Iterator[Trial]:
    """Ask the rewriter about each case and check what it offers a second time."""
    for index, case in enumerate(cases):
        proposal = rewriter.propose(case.post, case.reply, seed=seed + index)
        found = ((edit.new, tuple(trials.objections(edit.new, case))) for edit in proposal.edits)
        yield Trial(case, proposal, tuple((text, names) for text, names in found if names))


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        rewriter = registry.rewriter(
            options.rewriter, scorer=options.scorer, gate=options.gate, min_gain=options.min_gain
        )
        cases = trials.sample(options.limit) if options.limit else trials.cases()
        done = []
        with options.out.open("w", encoding="utf-8") as out:
            for trial in tqdm(run(rewriter, cases), total=len(cases), desc="trying", unit="case"):
                out.write(json.dumps(line(trial), ensure_ascii=False) + "\n")
                done.append(trial)
    except (OSError, EndpointError, WeightsError, UnknownReleaseError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(report(done))
    return int(any(trial.wrong or trial.missed for trial in done))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml.safety", description=__doc__)
    parser.add_argument("--rewriter", choices=NAMES, required=True)
    parser.add_argument(
        "--limit", type=int, default=0, help="so many of the cases, drawn by a fixed seed (default: all)"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, one a case")
    parser.add_argument("--scorer", default="reward", help="the release that ranks (default: reward)")
    parser.add_argument("--gate", type=float, default=4.0)
    parser.add_argument("--min-gain", type=float, default=0.15)
    return parser


def line(trial: Trial) -> dict[str, Any]:
    """What is written for one case."""
    return {
        "kind": trial.case.kind,
        "how": trial.case.how,
        "post": trial.case.post,
        "reply": trial.case.reply,
        "outcome": trial.proposal.outcome,
        "offered": [edit.new for edit in trial.proposal.edits],
        "refused": [asdict(refusal) for refusal in trial.proposal.refused],
        "wrong": [{"text": text, "names": list(names)} for text, names in trial.wrong],
        "missed": trial.missed,
    }


def report(done: Sequence[Trial]) -> str:
    """A row for each kind, then every offered sentence that the second check objects to."""
    rows = [_row(kind, [t for t in done if t.case.kind == kind]) for kind in _kinds(done)]
    wrong = [f"  {t.case.kind}: {', '.join(names)}: {text}\n" for t in done for text, names in t.wrong]
    missed = [f"  {t.case.kind}, {t.case.how}: {t.case.post[:100]!r}\n" for t in done if t.missed]
    return "".join(
        [
            HEAD,
            *rows,
            _row("all", done),
            f"\noffered sentences that the second check objects to: {len(wrong)}\n",
            *wrong,
            f"posts that had to be screened and were not: {len(missed)}\n",
            *missed,
        ]
    )


def _kinds(done: Sequence[Trial]) -> list[str]:
    tried = {t.case.kind for t in done}
    return [kind for kind in trials.kinds() if kind in tried]


def _row(name: str, done: Sequence[Trial]) -> str:
    outcomes = Counter(t.proposal.outcome for t in done)
    reasons = Counter(refusal.reason for t in done for refusal in t.proposal.refused)
    counts = (
        f"{len(done):7}{outcomes['screened']:10}{outcomes['nothing_needed']:12}"
        f"{outcomes['no_suggestion']:7}{outcomes['suggestions']:9}"
    )
    return f"{name:20}{counts}  {', '.join(f'{reason} {n}' for reason, n in reasons.most_common())}".rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
