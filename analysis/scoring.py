"""Scores every submitted reply with the outcome scorer: arm-blind, in shuffled order, each only once."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from analysis.models import ReplyScore
from ml.types import Pair, Score
from trial.models import Reply, Study

if TYPE_CHECKING:
    from ml.types import Scorer

BATCH = 64
Item = TypeVar("Item")
Progress = Callable[[int], object]
BLANK = Score(levels=(0, 0, 0), probabilities=((1.0, 0.0, 0.0),) * 3)


def outcome_scorer(study: Study) -> Scorer:
    """The release that the protocol names for the outcome, loaded now."""
    from ml import registry

    return registry.scorer(study.protocol.feedback.outcome_scorer)


def unscored(*, study: Study, release: str, simulated: bool) -> list[int]:
    """Submitted replies that this release has not scored yet."""
    replies = Reply.objects.submitted().filter(participant__study=study, participant__simulated=simulated)
    scored = ReplyScore.objects.filter(release=release).values("reply_id")
    return list(replies.exclude(pk__in=scored).values_list("pk", flat=True))


def score_replies(*, study: Study, scorer: Scorer, simulated: bool, progress: Progress = lambda _: None) -> int:
    """Score what is not scored yet and return how many that were.

    A batch is stored as soon as it is scored, so an interrupted run goes on where it stopped.
    """
    release = str(scorer.release)
    pending = unscored(study=study, release=release, simulated=simulated)
    secrets.SystemRandom().shuffle(pending)
    for batch in _batches(pending, BATCH):
        _score_batch(batch, scorer, release)
        progress(len(batch))
    return len(pending)


def _score_batch(pks: Sequence[int], scorer: Scorer, release: str) -> None:
    found = {row[0]: row for row in Reply.objects.filter(pk__in=pks).values_list("pk", "post__text", "text")}
    rows = [found[pk] for pk in pks if pk in found]
    written = [(pk, Pair(post, text)) for pk, post, text in rows if text.strip()]
    scores = dict(zip((pk for pk, _ in written), scorer.score([pair for _, pair in written]), strict=True))
    ReplyScore.objects.bulk_create(
        (_row(pk, release, scores.get(pk, BLANK)) for pk, _, _ in rows), ignore_conflicts=True
    )


def _row(pk: int, release: str, score: Score) -> ReplyScore:
    er, ip, ex = score.levels
    return ReplyScore(
        reply_id=pk,
        release=release,
        er=er,
        ip=ip,
        ex=ex,
        total=score.total,
        expected_total=score.expected_total,
        probabilities=[list(p) for p in score.probabilities],
    )


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
