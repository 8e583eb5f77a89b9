"""A worker's side of feedback: claim a request under a lease, infer, store; and sweep up after the dead.

The row is the truth. Whoever holds its `lease_token` may finish it; a worker whose lease was
taken meanwhile stores nothing. Inference runs outside any transaction.
"""

from __future__ import annotations

import functools
import logging
import os
import socket
import time
import traceback
import uuid
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from feedback import validation
from feedback.deadline import HungError, Runner
from feedback.models import FeedbackRequest, RefusedCandidate, Suggestion
from feedback.rewriters import rewriter_for
from ml.safety import crisis
from ml.types import Proposal, Rewriter
from trial.models import Post, Study
from trial.protocol import FeedbackPolicy
from trial.services import audit

logger = logging.getLogger(__name__)
Status = FeedbackRequest.Status
FREE: dict[str, Any] = {"lease_token": None, "lease_until": None}


@functools.cache
def _runner() -> Runner:
    return Runner()


def worker_name() -> str:
    return f"{socket.gethostname()[:60]}:{os.getpid()}"


# --- Claim ----------------------------------------------------------------------------------


def claim(*, worker: str, limit: int = 1) -> list[FeedbackRequest]:
    """Up to `limit` waiting requests, oldest first, now this worker's for the length of a lease."""
    waiting = FeedbackRequest.objects.with_policy().claimable()[:limit]
    return [request for request in waiting if _take(request, worker)]


def _take(request: FeedbackRequest, worker: str) -> bool:
    now = timezone.now()
    token = uuid.uuid4()
    taken = FeedbackRequest.objects.filter(pk=request.pk, status=Status.QUEUED).update(
        status=Status.RUNNING,
        worker=worker,
        lease_token=token,
        lease_until=now + timedelta(seconds=_policy(request).lease_seconds),
        claimed_at=now,
        attempts=F("attempts") + 1,
    )
    if taken:
        request.refresh_from_db(fields=["status", "worker", "lease_token", "lease_until", "claimed_at", "attempts"])
    return bool(taken) and request.lease_token == token


def _policy(request: FeedbackRequest) -> FeedbackPolicy:
    return request.reply.participant.protocol.feedback


# --- Infer ----------------------------------------------------------------------------------


def run(request: FeedbackRequest) -> bool:
    """Infer and store; whether what came of it was stored. No error of a rewriter gets past here."""
    try:
        started = time.monotonic()
        rewriter = rewriter_for(_policy(request))
        proposal = _propose(rewriter, request)
        validation.check(proposal, request.text, limit=_policy(request).max_suggestions)
        seconds = time.monotonic() - started
        return complete(request=request, proposal=proposal, rewriter=rewriter, seconds=seconds)
    except HungError:
        return fail(request=request, error="hung")
    except validation.NonsenseError as nonsense:
        return fail(request=request, error=f"nonsense:{nonsense.code}")
    except Exception as error:
        _log(request, error)
        return fail(request=request, error=f"error:{_name(error)}"[:60])


def _log(request: FeedbackRequest, error: Exception) -> None:
    """Name and frames only: the message of an error may hold what a participant wrote."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("request %s: %s\n%s", request.pk, _name(error), frames)


def _name(error: Exception) -> str:
    """The code of an error of ours ("endpoint_slow"), else its type."""
    return str(getattr(error, "code", None) or type(error).__name__)


def _propose(rewriter: Rewriter, request: FeedbackRequest) -> Proposal:
    post, text = request.reply.post.text, request.text
    if crisis.screen(post) or crisis.screen(text):
        return Proposal(outcome="screened", before=None)
    ask = functools.partial(
        rewriter.propose,
        post,
        text,
        seed=_seed(request),
        exclude=Suggestion.objects.shown_for(request.reply),
        limit=_policy(request).max_suggestions,
    )
    return _runner().call(ask, seconds=_policy(request).lease_seconds)


def _seed(request: FeedbackRequest) -> int:
    """Another one for each attempt: the same draw would only fail the same way."""
    return request.seed + request.attempts - 1


# --- Store ----------------------------------------------------------------------------------


@transaction.atomic
def complete(*, request: FeedbackRequest, proposal: Proposal, rewriter: Rewriter, seconds: float) -> bool:
    """Store the answer, if the request is still this worker's; whether it was."""
    before = proposal.before
    stored = _finish(
        request,
        status=Status.DONE,
        outcome=proposal.outcome,
        release=str(rewriter.release)[:200],
        scorer_release=_scorer_release(rewriter),
        parameters={
            **proposal.parameters,
            "seed": _seed(request),
            "model_seconds": round(proposal.seconds, 4),
        },
        levels_before=list(before.levels) if before else None,
        expected_before=before.expected_total if before else None,
        error="",
        finished_at=timezone.now(),
        inference_seconds=seconds,
        **FREE,
    )
    if not stored:
        return False
    _store_edits(request, proposal)
    _record("feedback.done", request, outcome=proposal.outcome, suggestions=len(proposal.edits))
    return True


def _finish(request: FeedbackRequest, **changes: Any) -> bool:
    mine = FeedbackRequest.objects.filter(pk=request.pk, status=Status.RUNNING, lease_token=request.lease_token)
    return bool(mine.update(**changes))


def _scorer_release(rewriter: Rewriter) -> str:
    """A rewriter that ranks by a scorer names it; others leave it open."""
    return str(getattr(getattr(rewriter, "scorer", None), "release", ""))[:200]


def _store_edits(request: FeedbackRequest, proposal: Proposal) -> None:
    verdict = f"passed {crisis.RELEASE}"[:80]
    Suggestion.objects.bulk_create(
        Suggestion(
            request=request,
            order=order,
            op=edit.op,
            index=edit.index,
            old=edit.old,
            new=edit.new,
            before=edit.before,
            after=edit.after,
            safety=verdict,
        )
        for order, edit in enumerate(proposal.edits)
    )
    RefusedCandidate.objects.bulk_create(
        RefusedCandidate(request=request, order=order, text=refusal.text[:2000], reason=refusal.reason[:120])
        for order, refusal in enumerate(proposal.refused)
    )


@transaction.atomic
def fail(*, request: FeedbackRequest, error: str) -> bool:
    """Count a failed attempt: back to the queue, or failed for good after the last one."""
    if request.attempts < _policy(request).max_attempts:
        return _finish(request, status=Status.QUEUED, error=error, **FREE)
    stored = _finish(request, status=Status.FAILED, error=error, finished_at=timezone.now(), **FREE)
    if stored:
        _record("feedback.failed", request, error=error)
    return stored


def _record(action: str, request: FeedbackRequest, **data: Any) -> None:
    study = request.reply.participant.study
    audit.record(action, label="system", study=study, ref=f"request:{request.pk}", data=data)


# --- The loop -------------------------------------------------------------------------------


def work_queue(limit: int = 1000) -> int:
    """Claim, infer and store until nothing waits; how many inferences were run."""
    rewriters()  # before any claim: loading models must not eat up a lease
    worker, done = worker_name(), 0
    while done < limit:
        claimed = claim(worker=worker)
        if claimed:
            run(claimed[0])
            done += 1
        elif not FeedbackRequest.objects.claimable().exists():
            break  # else another worker was faster, and there is more
    return done


def rewriters() -> list[tuple[Study, Rewriter]]:
    """The running studies and their rewriters, loaded; one that cannot be is told by each request in turn."""
    found = []
    for study in Study.objects.filter(state__in=(Study.State.OPEN, Study.State.PAUSED)):
        try:
            found.append((study, rewriter_for(study.protocol.feedback)))
        except Exception as error:
            logger.error("study %s: %s while loading models", study.slug, _name(error))  # noqa: TRY400
    return found


def warm() -> None:
    """Let every rewriter answer once, so that the first participant does not wait for first-time costs."""
    for study, rewriter in rewriters():
        try:
            rewriter.propose(_to_warm(study), "That sounds hard.", seed=0)
        except Exception as error:
            logger.error("%s cannot be warmed: %s", rewriter.release, _name(error))  # noqa: TRY400


def _to_warm(study: Study) -> str:
    """A post for which the rewriter must draw, if the study has one: what is reviewed needs no more than the scorer."""
    reviewed = {one.post for one in study.protocol.feedback.reviewed}
    texts = list(study.posts.order_by("pk").values_list("text", flat=True))
    return next((text for text in texts if sha256(text.encode()).hexdigest() not in reviewed), next(iter(texts), ""))


def prepare(post: Post) -> None:
    """Let the rewriter of the post's study read it before anybody asks. It may fail: a request will tell."""
    policy = post.study.protocol.feedback
    try:
        rewriter = rewriter_for(policy)
        _runner().call(functools.partial(rewriter.prepare, post.text), seconds=policy.lease_seconds)
    except Exception as error:
        logger.error("post %s cannot be prepared: %s", post.code, _name(error))  # noqa: TRY400


# --- Sweep ----------------------------------------------------------------------------------


def sweep() -> int:
    """Put every open request right that time has overtaken; how many were."""
    return sum(sweep_one(request) for request in FeedbackRequest.objects.with_policy().open())


@transaction.atomic
def sweep_one(request: FeedbackRequest) -> bool:
    """Expire a request that took too long, or re-queue or fail it when its lease has lapsed."""
    now = timezone.now()
    policy = _policy(request)
    if request.created_at < now - timedelta(seconds=policy.timeout_seconds):
        return _overtake(request, status=Status.EXPIRED, error="timed_out", finished_at=now)
    if request.status != Status.RUNNING or request.lease_until is None or request.lease_until >= now:
        return False
    return _release(request)


def _release(request: FeedbackRequest) -> bool:
    if request.attempts >= _policy(request).max_attempts:
        return _overtake(request, status=Status.FAILED, error="gave_up", finished_at=timezone.now())
    return _overtake(request, status=Status.QUEUED, error="lease_lapsed")


def _overtake(request: FeedbackRequest, **changes: Any) -> bool:
    """Change the row only if it is still as it was read, so that no answer is thrown away."""
    as_read = FeedbackRequest.objects.filter(pk=request.pk, status=request.status, lease_token=request.lease_token)
    changed = bool(as_read.update(**changes, **FREE))
    if changed and changes["status"] != Status.QUEUED:
        _record("feedback.failed", request, error=changes["error"])
    return changed


@transaction.atomic
def release_dead_workers() -> int:
    """Free what workers of this machine held when they died, without waiting for their leases.

    Call at the start of a worker: a lease under its own name is then an earlier life's.
    """
    host, _, own = worker_name().rpartition(":")
    held = FeedbackRequest.objects.with_policy().filter(status=Status.RUNNING, worker__startswith=f"{host}:")
    return sum(_release(r) for r in held if (pid := r.worker.rpartition(":")[2]) == own or not _alive(int(pid)))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
