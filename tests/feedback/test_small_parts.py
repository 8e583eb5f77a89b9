"""The parts without a database: deadline, share kept, running text, registry seam."""

from __future__ import annotations

import threading
import time

import pytest

from feedback import panel, rewriters
from feedback.deadline import HungError, Runner
from feedback.exposure import kept_share
from feedback.models import Suggestion
from tests.feedback.helpers import Scripted
from trial.protocol import FeedbackPolicy


def test_a_call_in_time_gives_its_result_always_on_the_same_thread() -> None:
    runner = Runner()
    threads = {runner.call(threading.get_ident, seconds=1) for _ in range(3)}
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_an_error_reaches_the_caller_even_a_timeout_of_the_functions_own() -> None:
    def late() -> None:
        raise TimeoutError("the endpoint was slow")

    with pytest.raises(TimeoutError, match="endpoint"):
        Runner().call(late, seconds=1)


def test_a_hung_call_is_given_up_and_the_next_one_works() -> None:
    runner, release = Runner(), threading.Event()
    started = time.monotonic()
    with pytest.raises(HungError):
        runner.call(lambda: release.wait(10), seconds=0.1)
    assert runner.call(lambda: 7, seconds=1) == 7
    assert time.monotonic() - started < 1
    assert runner.hung == 1
    release.set()


@pytest.mark.parametrize(
    ("suggested", "text", "share"),
    [
        ("That must be hard.", "That must be hard.", 1.0),
        ("That must be hard.", "I think THAT must really be hard!", 1.0),
        ("That must be hard.", "", 0.0),
        ("Don't you think?", "don’t you think", 1.0),
        ("One two three four.", "two one", 0.25),
        ("❤️", "so ❤️ much", 1.0),
        ("❤️", "none", 0.0),
    ],
)
def test_the_share_kept_counts_words_in_order(suggested: str, text: str, share: float) -> None:
    assert kept_share(suggested, text) == pytest.approx(share)


def offered(op: str, index: int, new: str, old: str = "") -> Suggestion:
    return Suggestion(pk=index + 1, op=op, index=index, new=new, old=old)


def test_the_running_text_shows_every_sentence_with_the_edits_in_place() -> None:
    asked = "Don't worry!\n\nI'm there for you. Bye"
    edits = [offered("replace", 0, "How hard!", "Don't worry!"), offered("insert", 3, "What happened?")]
    pieces = list(panel.running_text(asked, edits))
    assert [(p.kind, p.gap, p.old, p.text) for p in pieces] == [
        ("replace", "", "Don't worry!", "How hard!"),
        ("own", "\n", "", "I'm there for you."),
        ("own", " ", "", "Bye"),
        ("insert", " ", "", "What happened?"),
    ]


def test_an_empty_reply_shows_its_inserts_alone() -> None:
    assert [p.kind for p in panel.running_text("", [offered("insert", 0, "Hello.")])] == ["insert"]


def test_looks_become_rarer_and_never_stop_growing_past_the_last_delay() -> None:
    delays = [panel.delay(n) for n in range(20)]
    assert (delays[0], delays[-1]) == (300, 2500)
    assert sum(delays[:13]) <= 5000
    assert delays == sorted(delays)
    assert panel.delay(-1) == 300


def test_a_rewriter_registered_here_comes_before_the_registry() -> None:
    scripted = Scripted()
    policy = FeedbackPolicy(scorer="reward", outcome_scorer="outcome", rewriter="mine", gate=4)
    rewriters.register("mine", lambda given: scripted)
    try:
        assert rewriters.rewriter_for(policy) is scripted
    finally:
        rewriters.unregister("mine")
