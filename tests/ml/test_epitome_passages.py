"""Token marks become whole sentences of the reply, in the reply's own characters."""

from __future__ import annotations

import re

from ml.epitome.passages import passages

REPLY = "So sorry.  You are not alone. Try tea."


def marked(reply: str, *by_sentence: float, threshold: float = 0.5) -> list[str]:
    """The passages when all tokens of the i-th sentence bear the i-th mark."""
    offsets = [found.span() for found in re.finditer(r"\w+|[.!?]", reply)]
    ends = [stop for start, stop in offsets if reply[start] in ".!?"]
    marks = [by_sentence[sum(start >= end for end in ends)] for start, _ in offsets]
    return [reply[start:stop] for start, stop in passages(reply, marks, offsets, threshold)]


def test_a_sentence_above_the_threshold_is_a_passage() -> None:
    assert marked(REPLY, -3, 3, -3) == ["You are not alone."]


def test_neighbours_become_one_passage() -> None:
    assert marked(REPLY, 3, 3, -3) == ["So sorry.  You are not alone."]


def test_sentences_that_do_not_touch_stay_apart() -> None:
    assert marked(REPLY, 3, -3, 3) == ["So sorry.", "Try tea."]


def test_the_likeliest_sentence_stands_where_none_passes() -> None:
    assert marked(REPLY, -4, -3, -2) == ["Try tea."]


def test_a_sentence_is_judged_by_the_mean_over_its_tokens() -> None:
    offsets = [(0, 2), (3, 8), (8, 9)]
    assert passages("So sorry.", [9.0, 9.0, -9.0], offsets, 0.6) == [(0, 9)]
    two = "So sorry. Why?"
    assert passages(two, [9.0, -9.0, -9.0, 2.0, 2.0], [*offsets, (10, 13), (13, 14)], 0.5) == [(10, 14)]


def test_a_reply_without_tokens_has_no_passage() -> None:
    assert passages("", [], [], 0.3) == []
    assert passages("So sorry.", [], [], 0.3) == []


def test_marks_far_below_zero_overflow_nothing() -> None:
    assert passages("So sorry.", [-1e4, -800.0], [(0, 2), (3, 8)], 0.3) == [(0, 9)]
