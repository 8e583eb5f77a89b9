"""Makes the phrase book's release: its network, and the judge that says how likely a sentence suits a post.

The judge learns from verdicts on sentences of the book under posts that the network was not trained on
(`judging/sentences.tsv`: a digest of the post, theme, mechanism, sentence, verdict).
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from ml.partner import corpus, phrases, reader, sighting
from ml.partner.book import NAME, WEIGHTS_FILE, broadened, measures, network
from ml.partner.insight import Insight, Shape, Sight
from ml.partner.reader import Judged, LabelError, Reader
from ml.partner.sighting import Read, digest
from ml.releases import described, sha256_of
from ml.types import MECHANISMS

PRIOR = 2.0  # verdicts that a sentence's mechanism is worth beside its own
VERDICTS = Path(__file__).parent / "judging" / "sentences.tsv"


@dataclass(frozen=True)
class Verdict:
    """What a strict reader said of one sentence of a theme under one post."""

    theme: str
    judged: Judged


def bind(files: Sequence[Path], state: Path, out: Path, *, kept: Path | None = None) -> dict[str, Any]:
    """Train the network on the labelled posts of these files and of the corpus, fit the judge, write the release.

    `kept` is the folder of a release whose network is kept: it knows themes, and sentences may change.
    Raises WeightsError where that is not readable or knows other themes.
    """
    net = network(kept) if kept else None
    posts = [*(lesson.post for lesson in corpus.lessons()), *(j.post for j in reader.labels()), *texts(files)]
    read = sighting.labels(posts)
    if net is None:
        net = sighting.train(read, sighting.Recipe(), Shape(), state / "insight")
    known = priors(verdicts([row.post for row in read if not row.held_out]))
    judge, told = fitted(net, known, verdicts([row.post for row in read if row.held_out]))
    figures = sighting.measured(net, [row for row in read if row.held_out]) | {"judge_across_folds": told}
    return save(net, judge, known, read, figures, out)


def texts(files: Iterable[Path]) -> Iterator[str]:
    """Every cell of the files: labels are found by what stands in them, whatever their columns are called."""
    for file in files:
        with file.open(encoding="utf-8-sig", newline="") as rows:
            for row in csv.reader(rows):
                yield from row


def verdicts(posts: Iterable[str], path: Path = VERDICTS) -> list[Verdict]:
    """Those on sentences of the book and on posts that are at hand. Raises LabelError."""
    known = {digest(post): post for post in posts}
    book = {(theme.name, text) for theme in phrases.themes() for _, text in theme.phrases}
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            key, theme, mechanism, text, verdict = line.split("\t")
        except ValueError as error:
            raise LabelError(f"{path.name}:{number}: must have five columns") from error
        if key in known and (theme, text) in book:
            shown = verdict == "y"
            found.append(Verdict(theme, Judged(known[key], mechanism, text, mirrored=False, shown=shown)))
    return found


def priors(found: Sequence[Verdict]) -> dict[str, float]:
    """The logit of each sentence's passing, drawn towards its mechanism's share as if that were `PRIOR` verdicts;
    of one that nobody has judged, that share."""
    by_text: dict[tuple[str, str], list[bool]] = {}
    for one in found:
        by_text.setdefault((one.judged.mechanism, one.judged.text), []).append(one.judged.shown)
    usual = {m: share([one.judged.shown for one in found if one.judged.mechanism == m]) for m in MECHANISMS}
    unseen: list[bool] = []
    return {
        text: _logit(sum(seen) + PRIOR * usual[m], len(seen) + PRIOR)
        for theme in phrases.themes()
        for m, text in theme.phrases
        for seen in [by_text.get((m, text), unseen)]
    }


def share(seen: Sequence[bool]) -> float:
    return (sum(seen) + 1) / (len(seen) + 2)


def _logit(shown: float, of: float) -> float:
    return round(math.log(shown / (of - shown)), 3)


def fitted(net: Insight, known: Mapping[str, float], found: Sequence[Verdict]) -> tuple[Reader, dict[str, Any]]:
    """The judge, and how well judges of other posts tell these verdicts apart. Raises ValueError without verdicts."""
    sights = sighted(net, [one.judged.post for one in found])
    judged, broad = [one.judged for one in found], {theme.name for theme in phrases.themes() if theme.of}
    rows = [
        measures(sights[j.post][theme], j.mechanism, j.text, known.get(j.text, 0.0), broad=theme in broad)
        for theme, j in ((one.theme, one.judged) for one in found)
    ]
    figures = reader.quality(judged, reader.across(judged, rows))
    return reader.fit(rows, [one.shown for one in judged]), figures


def sighted(net: Insight, posts: Sequence[str]) -> dict[str, dict[str, Sight]]:
    """How each theme, broad ones too, stands in each post."""
    unlike = list(dict.fromkeys(posts))
    return {
        post: {sight.theme: sight for sight in broadened(one)}
        for post, one in zip(unlike, net.sights(unlike), strict=True)
    }


def save(
    net: Insight,
    judge: Reader,
    known: Mapping[str, float],
    read: Sequence[Read],
    figures: Mapping[str, Any],
    out: Path,
) -> dict[str, Any]:
    """Write the network in half precision, and `release.json`; returns what that says."""
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().half() for name, value in net.trained().items()}, out / WEIGHTS_FILE)
    (out / WEIGHTS_FILE).chmod(0o644)
    info = {
        "name": NAME,
        "version": f"{datetime.now(UTC):%Y.%m.%d}.{phrases.digest()[:6]}",  # what it may say is part of it
        "sha256": sha256_of(out / WEIGHTS_FILE),
        "shape": net.shape.stored(),
        "themes": list(net.themes),
        "book_sha256": phrases.digest(),
        "judge": judge.stored(),
        "priors": dict(known),
        "posts": sum(not row.held_out for row in read),
        "figures": figures,
    }
    (out / "release.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
    described.cache_clear()
    return info
