"""A pending suggestion keeps its place while others of the same answer are taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.placing import place
from ml.text import apply, sentences
from ml.types import Edit
from tests.feedback.helpers import insert, replace

HELLO, HEAR = "Hello.", "I hear you. That is a lot."


@pytest.mark.parametrize(
    ("asked", "taken", "edit", "expected"),
    [
        ("Bad.", [replace(0, "Bad.", HEAR)], insert(1, "Why?"), f"{HEAR} Why?"),
        ("Bad.", [insert(0, HELLO)], replace(0, "Bad.", "Good."), f"{HELLO} Good."),
        ("Bad.", [insert(0, HEAR)], replace(0, "Bad.", "Good."), f"{HEAR} Good."),
        ("", [insert(0, HELLO)], insert(0, "Why?"), f"{HELLO} Why?"),
        ("One. Two.", [replace(0, "One.", HEAR)], replace(1, "Two.", "Three."), f"{HEAR} Three."),
        ("One. Two.", [replace(1, "Two.", HEAR)], insert(1, "Why?"), f"One. Why? {HEAR}"),
    ],
)
def test_an_edit_lands_beside_what_was_taken(asked: str, taken: list[Edit], edit: Edit, expected: str) -> None:
    assert place(asked, taken, edit, apply(asked, taken), before=taken) == expected


def test_an_edit_of_a_sentence_that_was_rewritten_by_hand_has_no_place() -> None:
    assert place("Bad.", [], replace(0, "Bad."), "All new words here.") is None


SENTENCES = st.lists(st.sampled_from(["One.", "Two!", "Three?", "Four four."]), min_size=1, max_size=4, unique=True)


@given(SENTENCES, st.data())
def test_taking_one_after_the_other_equals_taking_all_at_once(texts: list[str], data: st.DataObject) -> None:
    asked = " ".join(texts)
    found = [s.text for s in sentences(asked)]
    target = data.draw(st.integers(0, len(found) - 1))
    edits = [replace(target, found[target], HEAR), insert(data.draw(st.integers(0, len(found))), "Why so?")]
    for first, second in (edits, edits[::-1]):
        once = place(asked, [], first, asked)
        assert once is not None
        assert place(asked, [first], second, once) == apply(asked, edits)
