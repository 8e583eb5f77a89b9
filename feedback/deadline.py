"""Call a function with a deadline, in one lasting thread that is left behind when it hangs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[Future[Any], Callable[[], Any]]


class HungError(Exception):
    """The call did not come back in time."""


class Runner:
    """One daemon thread, since a new one per call would cost torch its thread pool each time.

    A call that hangs cannot be ended from outside in Python; its thread is abandoned and the
    next call gets a new one. `hung` counts them, so that a worker can decide to start afresh.
    """

    def __init__(self) -> None:
        self.hung = 0
        self._jobs = self._start()

    def call(self, function: Callable[[], T], *, seconds: float) -> T:
        """Raises HungError after `seconds`, or whatever the function raises."""
        future: Future[T] = Future()
        self._jobs.put((future, function))
        try:
            return future.result(timeout=seconds)
        except FutureTimeoutError as error:
            if future.done():  # the function itself raised a TimeoutError
                raise
            self.hung += 1
            self._jobs = self._start()
            raise HungError from error

    @staticmethod
    def _start() -> queue.SimpleQueue[_Job]:
        jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(jobs,), name="inference", daemon=True).start()
        return jobs


def _serve(jobs: queue.SimpleQueue[_Job]) -> None:
    while True:
        future, function = jobs.get()
        try:
            result = function()
        except BaseException as error:  # handed to the caller, whatever it is
            future.set_exception(error)
        else:
            future.set_result(result)
