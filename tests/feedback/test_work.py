"""A worker's side: claims, leases, failures, and nothing stored twice."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import time
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from feedback.models import FeedbackRequest, RefusedCandidate, Suggestion
from feedback.services import requests, work
from ml.types import Edit, Proposal, Refusal
from tests import builders
from tests.feedback.helpers import (
    DRAFT,
    SCORE,
    SORRY,
    Scripted,
    answered,
    asked,
    insert,
    protocol_with,
    replace,
    suggesting,
)
from trial.models import AuditEvent, Participant, Reply
from trial.protocol import read_protocol
from trial.services import replies


def lapse(request: FeedbackRequest) -> None:
    """As if the worker had gone silent and its lease had run out."""
    FeedbackRequest.objects.filter(pk=request.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def claimed(reply: Reply, worker: str = "one:1") -> FeedbackRequest:
    asked(reply)
    (request,) = work.claim(worker=worker)
    return request


def test_an_answer_is_stored_with_all_that_produced_it(reply: Reply, rewriter: Scripted) -> None:
    refused = (Refusal("You should see a doctor.", "advice"),)
    rewriter.answer = lambda *_: Proposal("suggestions", SCORE, (insert(2),), refused, 0.02, {"candidates": 8})
    request = answered(reply)
    assert (request.status, request.outcome, request.attempts) == ("done", "suggestions", 1)
    assert request.release.startswith("scripted@1+")
    assert request.parameters["candidates"] == 8
    assert request.parameters["seed"] == request.seed
    assert request.levels_before == [1, 0, 0]
    assert request.expected_before == pytest.approx(SCORE.expected_total)
    assert request.inference_seconds is not None
    assert request.worker == work.worker_name()
    suggestion = request.suggestions.get()
    assert (suggestion.op, suggestion.index, suggestion.new) == ("insert", 2, SORRY)
    assert (suggestion.before, suggestion.after) == (1.0, 2.0)
    assert suggestion.safety.startswith("passed crisis@")
    assert RefusedCandidate.objects.get(request=request).reason == "advice"
    assert AuditEvent.objects.filter(action="feedback.done").count() == 1


def test_the_rewriter_reads_the_post_and_the_draft(reply: Reply, rewriter: Scripted) -> None:
    request = answered(reply)
    assert rewriter.calls == [(reply.post.text, DRAFT, request.seed, set())]


def test_one_request_is_claimed_by_one_worker(reply: Reply) -> None:
    request = asked(reply)
    (mine,) = work.claim(worker="one:1")
    assert work.claim(worker="two:2") == []
    request.refresh_from_db()
    assert (request.status, request.worker, request.lease_token) == ("running", "one:1", mine.lease_token)


def test_waiting_requests_are_claimed_oldest_first(alice: Participant, reply: Reply) -> None:
    first = asked(reply)
    second = asked(alice.replies.get(position=2))
    assert work.claim(worker="one:1", limit=5) == [first, second]


def test_a_late_worker_whose_lease_was_taken_stores_nothing(reply: Reply, rewriter: Scripted) -> None:
    late = claimed(reply)
    lapse(late)
    assert work.sweep() == 1
    assert work.work_queue() == 1
    assert work.run(late) is False
    assert FeedbackRequest.objects.get().status == "done"
    assert Suggestion.objects.count() == 2
    assert AuditEvent.objects.filter(action="feedback.done").count() == 1


def test_a_late_failure_does_not_undo_an_answer(reply: Reply, rewriter: Scripted) -> None:
    late = claimed(reply)
    lapse(late)
    work.sweep()
    work.work_queue()
    assert work.fail(request=late, error="hung") is False
    assert FeedbackRequest.objects.get().status == "done"


def test_a_worker_that_answers_after_a_newer_request_stores_nothing(reply: Reply) -> None:
    late = claimed(reply)
    asked(reply, "Newer text.")
    assert work.run(late) is False
    assert not Suggestion.objects.exists()


def test_a_rewriter_that_raises_is_tried_again_and_then_given_up(
    reply: Reply, rewriter: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(text: str, seed: int, exclude: Collection[str]) -> Proposal:
        raise ValueError(text)

    rewriter.answer = broken
    with caplog.at_level(logging.ERROR):
        request = answered(reply)
    assert (request.status, request.error, request.attempts) == ("failed", "error:ValueError", 3)
    assert DRAFT not in caplog.text
    assert len({seed for _, _, seed, _ in rewriter.calls}) == 3
    assert AuditEvent.objects.filter(action="feedback.failed").count() == 1
    reply.refresh_from_db()
    assert reply.text == DRAFT


def test_a_rewriter_that_recovers_answers_at_the_second_attempt(reply: Reply, rewriter: Scripted) -> None:
    def flaky(text: str, seed: int, exclude: Collection[str]) -> Proposal:
        if len(rewriter.calls) == 1:
            raise MemoryError
        return suggesting(insert(0))

    rewriter.answer = flaky
    request = answered(reply)
    assert (request.status, request.attempts, request.error) == ("done", 2, "")


def test_a_rewriter_that_hangs_is_left_behind(reply: Reply, rewriter: Scripted) -> None:
    def hanging(text: str, seed: int, exclude: Collection[str]) -> Proposal:
        if len(rewriter.calls) == 1:
            time.sleep(4)
        return suggesting(insert(0))

    rewriter.answer = hanging
    started = time.monotonic()
    request = answered(reply)
    assert time.monotonic() - started < 3.5
    assert (request.status, request.attempts) == ("done", 2)


NONSENSE = {
    "index": suggesting(insert(3)),
    "empty": suggesting(insert(0, "  ")),
    "too_long": suggesting(insert(0, "so " * 200)),
    "old": suggesting(replace(0, "Something never written.")),
    "characters": suggesting(insert(0, "nul \0 byte")),
    "unchanged": suggesting(replace(0, "Don't worry!", "Don't worry!")),
    "score": suggesting(Edit("insert", 0, "", SORRY, 1.0, float("nan"))),
    "no_edits": suggesting(),
    "too_many": suggesting(*[insert(0, f"Number {n}.") for n in range(4)]),
    "same_place": suggesting(replace(0, "Don't worry!", "One."), replace(0, "Don't worry!", "Two.")),
    "edits_without_outcome": Proposal("nothing_needed", SCORE, (insert(0),)),
    "operation": suggesting(Edit("delete", 0, "", SORRY, 1.0, 2.0)),  # type: ignore[arg-type]
    "outcome": Proposal("brilliant", SCORE),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("code", NONSENSE)
def test_nonsense_is_never_stored_as_a_suggestion(reply: Reply, rewriter: Scripted, code: str) -> None:
    rewriter.answer = lambda *_: NONSENSE[code]
    request = answered(reply)
    assert (request.status, request.error, request.attempts) == ("failed", f"nonsense:{code}", 3)
    assert not Suggestion.objects.exists()


def test_an_answer_that_is_no_proposal_at_all_fails_the_request(reply: Reply, rewriter: Scripted) -> None:
    rewriter.answer = lambda *_: None  # type: ignore[assignment,return-value]
    assert answered(reply).error == "error:AttributeError"


def test_what_cannot_be_stored_as_json_fails_the_request(reply: Reply, rewriter: Scripted) -> None:
    odd = Proposal("nothing_needed", SCORE, parameters={"model": object()})  # type: ignore[dict-item]
    rewriter.answer = lambda *_: odd
    assert answered(reply).error == "error:TypeError"


def test_an_unknown_rewriter_fails_the_request_and_not_the_worker(reply: Reply) -> None:
    from feedback import rewriters

    rewriters.unregister("scripted")
    request = answered(reply)
    assert request.status == "failed"
    assert request.error.startswith("error:")


def test_a_draft_that_worries_the_screen_never_reaches_the_rewriter(reply: Reply, rewriter: Scripted) -> None:
    request = answered(reply, "I want to kill myself too.")
    assert (request.status, request.outcome) == ("done", "screened")
    assert rewriter.calls == []


def test_a_lapsed_lease_is_queued_again(reply: Reply) -> None:
    request = claimed(reply)
    assert work.sweep() == 0
    lapse(request)
    assert work.sweep() == 1
    request.refresh_from_db()
    assert (request.status, request.error, request.lease_token) == ("queued", "lease_lapsed", None)


def test_after_the_last_attempt_a_lapsed_lease_fails_the_request(reply: Reply) -> None:
    request = claimed(reply)
    FeedbackRequest.objects.update(attempts=3)
    lapse(request)
    work.sweep()
    request.refresh_from_db()
    assert (request.status, request.error) == ("failed", "gave_up")
    assert request.finished_at is not None


@pytest.mark.parametrize("running", [True, False])
def test_a_request_that_waits_too_long_expires(reply: Reply, running: bool) -> None:
    request = claimed(reply) if running else asked(reply)
    FeedbackRequest.objects.update(created_at=timezone.now() - timedelta(seconds=61))
    assert work.sweep() == 1
    request.refresh_from_db()
    assert (request.status, request.error) == ("expired", "timed_out")


def test_sweeping_leaves_finished_requests_alone(reply: Reply) -> None:
    request = answered(reply)
    FeedbackRequest.objects.update(created_at=timezone.now() - timedelta(days=1))
    assert work.sweep() == 0
    request.refresh_from_db()
    assert request.status == "done"


def test_a_starting_worker_takes_up_what_a_dead_one_of_this_machine_held(reply: Reply) -> None:
    dead = f"{socket.gethostname()}:{2**22 + 1}"
    request = claimed(reply, worker=dead)
    assert work.release_dead_workers() == 1
    request.refresh_from_db()
    assert request.status == "queued"


def test_a_starting_worker_leaves_the_living_and_other_machines_alone(alice: Participant, reply: Reply) -> None:
    claimed(reply, worker=f"{socket.gethostname()}:{os.getppid()}")
    claimed(alice.replies.get(position=2), worker="another-machine:1")
    assert work.release_dead_workers() == 0


def test_warming_answers_once_for_every_running_study(reply: Reply, rewriter: Scripted) -> None:
    work.warm()
    assert [post for post, *_ in rewriter.calls] == [reply.participant.study.posts.order_by("pk")[0].text]


def test_warming_asks_about_a_post_that_nobody_has_reviewed(db: None, rewriter: Scripted, tmp_path: Path) -> None:
    folder = protocol_with(tmp_path / "hailey", rewriter="scripted")
    first, second, *_ = (post.text for post in read_protocol(folder).posts)
    sheet = [{"post": hashlib.sha256(first.encode()).hexdigest(), "sentences": [{"mechanism": "er", "text": SORRY}]}]
    builders.study(folder=protocol_with(tmp_path / "part", rewriter="scripted", reviewed=sheet))
    work.warm()
    assert [post for post, *_ in rewriter.calls] == [second]


def test_a_rewriter_that_cannot_be_warmed_does_not_stop_the_worker(reply: Reply, rewriter: Scripted) -> None:
    rewriter.answer = lambda *_: 1 / 0  # type: ignore[assignment,return-value]
    work.warm()


def test_the_queue_of_a_withdrawn_reply_is_left_alone(reply: Reply) -> None:
    asked(reply)
    replies.submit(reply=reply, text=DRAFT)
    assert work.claim(worker="one:1") == []
    assert requests.is_offered(reply.participant)
