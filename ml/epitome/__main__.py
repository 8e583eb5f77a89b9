"""`python -m ml.epitome train|evaluate|score|compare|robustness`: the scorer's commands."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ml.epitome.data import HELD_BACK, DataError, Example, read_examples, read_pairs, screened, share
from ml.releases import UnknownReleaseError, WeightsError, folder
from ml.types import MECHANISMS, Pair, Score

COLUMNS = ("seeker_post", "response_post", *MECHANISMS, "total", "expected_total")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (DataError, WeightsError, UnknownReleaseError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml.epitome", description=__doc__)
    commands = parser.add_subparsers(required=True)
    _train_options(_command(commands, "train", train, "train a release on labelled pairs"))
    evaluating = _command(commands, "evaluate", evaluate, "compare a release with labels")
    evaluating.add_argument("--json", type=Path, help="where to write the figures")
    evaluating.add_argument(
        "--screen", action="store_true", help="apart, pairs that the crisis screen passes and catches"
    )
    comparing = _command(commands, "compare", compare_releases, "agreement of two releases on seekers unseen by both")
    comparing.add_argument("--other", default="reward", help="the second release (default: %(default)s)")
    scoring = _command(commands, "score", score, "score unlabelled pairs")
    scoring.add_argument("--out", type=Path, required=True, help="the CSV file to write")
    shaking = _command(commands, "robustness", robustness, "how far scores move when pairs are written differently")
    shaking.add_argument("--limit", type=int, default=300, help="pairs drawn from the file (default: %(default)s)")
    shaking.add_argument("--seed", type=int, default=1, help="of the draw and the rewriting (default: %(default)s)")
    shaking.add_argument("--json", type=Path, help="where to write the figures")
    return parser


def _command(commands: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.csv")
    parser.add_argument("--release", default="outcome", help="outcome or reward (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or auto (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="torch threads (default: one)")
    parser.set_defaults(run=run)
    return parser


def _train_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, help="release directory (default: that of the release)")
    parser.add_argument("--state", type=Path, help="resumable state (default: var/epitome/RELEASE)")
    parser.add_argument("--folds", type=int, default=0, help="cross-validate over seekers first")
    parser.add_argument("--folds-only", action="store_true", help="cross-validate and print the figures; no release")
    parser.add_argument("--seed", type=int, help="instead of the recipe's own")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's own")
    parser.add_argument("--stop", type=int, help="release the running average after so many epochs")
    parser.add_argument("--limit", type=int, help="read only so many pairs: for a trial run")


def train(options: argparse.Namespace) -> None:
    from ml import runtime
    from ml.epitome.experiment import Run, cross_validate, fold_figures, summary, train_release
    from ml.epitome.train import RECIPES

    if options.release not in RECIPES:
        raise UnknownReleaseError(f"there is no recipe {options.release!r}: {', '.join(RECIPES)}")
    changes = {key: getattr(options, key) for key in ("seed", "epochs") if getattr(options, key) is not None}
    recipe = replace(RECIPES[options.release], **changes)
    runtime.use_threads(options.threads)
    state = options.state or Path("var/epitome") / options.release
    state.mkdir(parents=True, exist_ok=True)
    run = Run(options.release, recipe, state, runtime.device(options.device), options.stop)
    examples = read_examples(options.data)[: options.limit]
    found = cross_validate(run, examples, options.folds) if options.folds else []
    if options.folds_only:
        print(json.dumps(summary(fold_figures(found)), indent=2))
        return
    out = options.out or folder(f"epitome-{options.release}")
    info = train_release(run, examples, out, found)
    print(_table(info["figures"]) if info["figures"] else "no seekers left to measure on")


def evaluate(options: argparse.Namespace) -> None:
    examples = read_examples(options.data)
    scores = _scores(options, [one.pair for one in examples])
    if not options.screen:
        report = _evaluated(examples, scores)
    else:
        by_example = dict(zip(examples, scores, strict=True))
        report = {
            name: _part(name, part, [by_example[one] for one in part])
            for name, part in zip(("passing", "caught"), screened(examples), strict=True)
        }
    _write(options.json, report)


def _part(name: str, examples: Sequence[Example], scores: Sequence[Score]) -> dict[str, Any]:
    print(f"{name}: {len(examples)} pairs")
    return _evaluated(examples, scores) if examples else {"n": 0}


def _evaluated(examples: Sequence[Example], scores: Sequence[Score]) -> dict[str, Any]:
    """Prints the figures of these pairs and returns those of the levels."""
    from ml.epitome.evaluate import compare, rationales

    report = compare(examples, scores)
    print(_table(report))
    for m, name in enumerate(MECHANISMS):
        found = rationales(examples, [_spans(one, name) for one in scores], m)
        everything = rationales(examples, [_whole(one) for one in examples], m)
        print(
            f"{name} rationales on {found.n} replies: token F1 {found.token_f1:.3f} "
            f"(mark all {everything.token_f1:.3f}), IOU-F1 {found.iou_f1:.3f} ({everything.iou_f1:.3f})"
        )
    return report


def _write(path: Path | None, report: dict[str, Any]) -> None:
    if path:
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def score(options: argparse.Namespace) -> None:
    pairs = read_pairs(options.data)
    scores = _scores(options, pairs)
    with options.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for pair, one in zip(pairs, scores, strict=True):
            expected = f"{one.expected_total:.4f}"
            writer.writerow([pair.seeker, pair.response, *one.levels, one.total, expected])


def compare_releases(options: argparse.Namespace) -> None:
    from ml.epitome.agreement import agreement, table

    examples = share(read_examples(options.data), HELD_BACK, 1)
    pairs = [one.pair for one in examples]
    first = _scores(options, pairs)
    second = _scores(argparse.Namespace(**vars(options) | {"release": options.other}), pairs)
    print(table(agreement(examples, first, second), [options.release, options.other]))


def robustness(options: argparse.Namespace) -> None:
    from ml.epitome.robustness import distinct, report, sample, table, versions

    pairs = sample(read_pairs(options.data), options.limit, options.seed)
    if len(pairs) < 2:
        raise DataError(f"{options.data}: fewer than two pairs whose reply says anything")
    found = versions(pairs, options.seed)
    texts = distinct(found)
    figures = report(found, dict(zip(texts, _scores(options, texts), strict=True)))
    print(table(figures))
    _write(options.json, figures.stored())


def _scores(options: argparse.Namespace, pairs: Sequence[Pair]) -> list[Score]:
    from ml import runtime
    from ml.epitome.scorer import load

    runtime.use_threads(options.threads)
    return load(options.release, device=options.device).score(pairs, progress=options.release)


def _spans(one: Score, mechanism: str) -> list[tuple[int, int]]:
    return [(span.start, span.stop) for span in one.rationales if span.mechanism == mechanism]


def _whole(example: Example) -> list[tuple[int, int]]:
    return [(0, len(example.pair.response))]


def _table(report: dict[str, Any]) -> str:
    lines = ["    accuracy  macro-F1  kappa    ECE   F1 none  weak  strong"]
    for name in MECHANISMS:
        one = report[name]
        each = "  ".join(f"{value:.3f}" for value in one["f1"])
        all_levels = f"{one['accuracy']:8.3f}  {one['macro_f1']:8.3f}  {one['qwk']:5.3f}  {one['ece']:5.3f}"
        lines.append(f"{name}  {all_levels}   {each}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
