"""The flow's arithmetic."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.estimators import FlowError, consort_flow

COLUMNS = ["arm", "state", "replies", "surveyed", "analysed"]
PEOPLE = [
    (None, "ineligible", 0, False, False),
    (None, "declined", 0, False, False),
    (None, "duplicate", 0, False, False),
    (None, "withdrawn", 0, False, False),
    (None, "training", 0, False, False),
    ("A", "completed", 10, True, True),
    ("A", "withdrawn", 3, False, True),
    ("A", "timed_out", 0, False, False),
    ("B", "writing", 4, False, True),
    ("B", "completed", 10, True, True),
]


def test_everybody_is_counted_once() -> None:
    flow = consort_flow(pd.DataFrame(PEOPLE, columns=COLUMNS), arms=("A", "B"), posts=10)
    assert (flow.assessed, flow.randomised, flow.before_randomisation) == (10, 5, 1)
    assert {loss.reason: loss.n for loss in flow.excluded if loss.n} == {
        "not eligible": 1,
        "declined to take part": 1,
        "already taking part": 1,
        "withdrew before randomisation": 1,
    }
    a, b = flow.arms
    assert (a.allocated, a.wrote, a.all_replies, a.completed, a.analysed, a.not_analysed) == (3, 2, 1, 1, 2, 1)
    assert (b.allocated, b.in_progress, b.completed) == (2, 1, 1)


def test_a_person_who_vanishes_is_found() -> None:
    people = pd.DataFrame([*PEOPLE, ("A", "no such state", 0, False, False)], columns=COLUMNS)
    with pytest.raises(FlowError, match="arm A: 4 people, but the parts add up to 3"):
        consort_flow(people, arms=("A", "B"), posts=10)


def test_an_arm_that_nobody_named_is_found() -> None:
    people = pd.DataFrame([*PEOPLE, ("C", "completed", 10, True, True)], columns=COLUMNS)
    with pytest.raises(FlowError, match="randomised"):
        consort_flow(people, arms=("A", "B"), posts=10)


def test_nobody_at_all_adds_up_too() -> None:
    flow = consort_flow(pd.DataFrame([], columns=COLUMNS), arms=("A", "B"), posts=10)
    assert (flow.assessed, flow.randomised) == (0, 0)
