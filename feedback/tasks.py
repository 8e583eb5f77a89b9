"""Wake-ups: the rows hold the work, so a task carries nothing and a lost one costs only time."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from feedback.services import work
from trial.models import Post


@shared_task  # type: ignore[untyped-decorator]
def process_feedback() -> None:
    work.work_queue()


@shared_task  # type: ignore[untyped-decorator]
def sweep_feedback() -> None:
    work.sweep()
    work.work_queue()


@shared_task  # type: ignore[untyped-decorator]
def prepare_post(post_id: int) -> None:
    """Whoever waits comes first: what is prepared here is for somebody who still reads or writes."""
    work.work_queue()
    work.prepare(Post.objects.get(pk=post_id))


@worker_ready.connect  # type: ignore[untyped-decorator]
def recover_at_start(sender: Any, **_: Any) -> None:
    """Take up at once what a dead worker left behind.

    Models are loaded here only where tasks run in this very process (the solo pool): a parent
    that has used torch must never fork.
    """
    if "feedback" not in sender.app.amqp.queues.consume_from:
        return
    work.release_dead_workers()
    work.sweep()
    if type(sender.pool).__module__.endswith(".solo"):
        if not work.work_queue():
            work.warm()
    else:
        process_feedback.delay()
