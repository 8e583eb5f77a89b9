"""Replies are cut into sentences sensibly, and edits change nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ml.text import Sentence, apply, apply_one, apply_to_current, sentences
from ml.types import Edit

CASES = [
    ("That's life. Try to get some sleep.", ["That's life.", "Try to get some sleep."]),
    ("i'm sorry. that sounds hard", ["i'm sorry.", "that sounds hard"]),
    ("Ask Dr. Smith at 3 p.m. today. Ok?", ["Ask Dr. Smith at 3 p.m. today.", "Ok?"]),
    ("I'm here \U0001f60a You can talk", ["I'm here \U0001f60a", "You can talk"]),
    ("Hugs! \u2764\ufe0f\u2764\ufe0f You matter.", ["Hugs! \u2764\ufe0f\u2764\ufe0f", "You matter."]),
    ("Oh no :( That sucks <3 Hugs", ["Oh no :(", "That sucks <3", "Hugs"]),
    ("Hey,\n\nI hear you.\n- sleep\n- eat", ["Hey,", "I hear you.", "- sleep", "- eat"]),
    ("1. Run\n2. Eat", ["1. Run", "2. Eat"]),
    ("well... i don't know... Maybe", ["well... i don't know...", "Maybe"]),
    ('"Really?" he asked. "Yes."', ['"Really?" he asked.', '"Yes."']),
    ("so tired.You should rest.", ["so tired.", "You should rest."]),
    ("a line that\nwraps here. Yes!", ["a line that\nwraps here.", "Yes!"]),
    ("See www.example.org now. e.g. this.", ["See www.example.org now.", "e.g. this."]),
    (
        "\u0645\u0631\u062d\u0628\u0627. \u0643\u064a\u0641 \u062d\u0627\u0644\u0643\u061f \u0623\u0646\u0627",
        [
            "\u0645\u0631\u062d\u0628\u0627.",
            "\u0643\u064a\u0641 \u062d\u0627\u0644\u0643\u061f",
            "\u0623\u0646\u0627",
        ],
    ),
    ("\u4f60\u597d\u3002\u6211\u5f88\u597d\u3002", ["\u4f60\u597d\u3002", "\u6211\u5f88\u597d\u3002"]),
    ("no punctuation at all", ["no punctuation at all"]),
    ("What?! No way!!! Ok", ["What?!", "No way!!!", "Ok"]),
    ("", []),
    (" \n ", []),
]

WORDS = st.text(alphabet="abcI .,!?\u2026\n\"'-\U0001f60a\u0645", max_size=80)
NEW = st.sampled_from(["I am sorry.", "What happened?", "It sounds hard."])


def edit(op: str, index: int, old: str = "", new: str = "I hear you.") -> Edit:
    return Edit(op, index, old, new, 1.0, 2.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(("reply", "expected"), CASES)
def test_a_reply_is_cut_where_its_sentences_end(reply: str, expected: list[str]) -> None:
    assert [s.text for s in sentences(reply)] == expected


@given(st.one_of(WORDS, st.text(max_size=120)))
def test_sentences_hold_every_visible_character_once_and_in_order(reply: str) -> None:
    found = sentences(reply)
    assert all(reply[s.start : s.stop] == s.text and s.text == s.text.strip() for s in found)
    ends = [0, *(p for s in found for p in (s.start, s.stop)), len(reply)]
    assert ends == sorted(ends)
    outside = "".join(reply[a:b] for a, b in zip(ends[::2], ends[1::2], strict=True))
    assert not outside.strip()


@given(WORDS)
def test_no_edits_change_nothing(reply: str) -> None:
    assert apply(reply, []) == reply


@given(WORDS, st.data())
def test_a_replacement_leaves_all_else_as_typed(reply: str, data: st.DataObject) -> None:
    found = sentences(reply)
    assume(found)
    index = data.draw(st.integers(0, len(found) - 1))
    s: Sentence = found[index]
    result = apply(reply, [edit("replace", index, s.text, "New one.")])
    assert result == reply[: s.start] + "New one." + reply[s.stop :]


@given(WORDS, st.data())
def test_any_subset_of_edits_leaves_the_other_sentences_as_typed(reply: str, data: st.DataObject) -> None:
    found = sentences(reply)
    inserts = [
        edit("insert", i, new=data.draw(NEW)) for i in data.draw(st.lists(st.integers(0, len(found)), max_size=3))
    ]
    replaced = data.draw(st.sets(st.sampled_from(range(len(found))))) if found else set()
    edits = inserts + [edit("replace", i, found[i].text, "Replaced.") for i in sorted(replaced)]
    result = apply(reply, edits)
    position = 0
    for index, s in enumerate(found):
        kept = "Replaced." if index in replaced else s.text
        position = result.index(kept, position) + len(kept)
    for one in inserts:
        assert one.new in result
    assert result.startswith(reply[: found[0].start] if found else "")
    assert result.endswith(reply[found[-1].stop :] if found else reply)


@given(WORDS, st.data())
def test_an_insert_only_adds(reply: str, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(sentences(reply))))
    result = apply(reply, [edit("insert", index, new="NEW")])
    before, after = result.split("NEW")
    ways = {before[: len(before) - i] + after[j:] for i in range(3) for j in range(2)}
    assert reply in ways


@pytest.mark.parametrize(
    ("reply", "index", "expected"),
    [
        ("That sucks. Rest.", 0, "I hear you. That sucks. Rest."),
        ("That sucks. Rest.", 1, "That sucks. I hear you. Rest."),
        ("That sucks. Rest. ", 2, "That sucks. Rest. I hear you. "),
        ("That sucks", 1, "That sucks. I hear you."),
        ("A b.\nC d.", 1, "A b.\nI hear you.\nC d."),
        ("A b.\nC d.", 2, "A b.\nC d.\nI hear you."),
        ("A b.\n\nC d.", 1, "A b. I hear you.\n\nC d."),
        ("- rest\n- eat", 0, "I hear you.\n- rest\n- eat"),
        ("", 0, "I hear you."),
    ],
)
def test_an_insert_follows_the_spacing_around_it(reply: str, index: int, expected: str) -> None:
    assert apply(reply, [edit("insert", index)]) == expected


@pytest.mark.parametrize(
    "edits",
    [
        [edit("replace", 0, "Something else.")],
        [edit("replace", 5, "That sucks.")],
        [edit("insert", 3)],
        [edit("insert", -1)],
        [edit("replace", 0, "That sucks."), edit("replace", 0, "That sucks.")],
    ],
)
def test_an_edit_for_another_reply_is_refused(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="sentence"):
        apply("That sucks. Rest.", edits)


ORIGINAL = "That's life. Try to sleep. Bye."


@pytest.mark.parametrize(
    ("current", "change", "expected"),
    [
        (ORIGINAL, edit("replace", 0, "That's life."), "I hear you. Try to sleep. Bye."),
        ("Hi! That's life. Bye.", edit("replace", 0, "That's life."), "Hi! I hear you. Bye."),
        ("Such is life. Bye.", edit("replace", 0, "That's life."), None),
        ("", edit("replace", 0, "That's life."), None),
        ("", edit("insert", 0), None),
        ("Brand new words.", edit("insert", 1), None),
        ("Oh. That's life. Bye.", edit("insert", 1), "Oh. That's life. I hear you. Bye."),
        ("Try to sleep. Bye.", edit("insert", 1), "I hear you. Try to sleep. Bye."),
        ("That's life. Bye. Hugs.", edit("insert", 3), "That's life. Bye. I hear you. Hugs."),
        ("Oh. That's life!", edit("insert", 0), "Oh. I hear you. That's life!"),
    ],
)  # fmt: skip
def test_an_edit_finds_its_place_in_a_text_that_has_changed(current: str, change: Edit, expected: str | None) -> None:
    assert apply_to_current(ORIGINAL, current, change) == expected


def test_of_two_equal_sentences_the_one_meant_is_replaced() -> None:
    original = "Ok. Right. Ok."
    assert apply_to_current(original, "Well. Ok. Right. Ok.", edit("replace", 2, "Ok.")) == (
        "Well. Ok. Right. I hear you."
    )
    assert apply_one("Ok. Right. Ok.", edit("replace", 2, "Ok.")) == "Ok. Right. I hear you."


def test_edits_accepted_one_after_the_other_give_what_all_at_once_would() -> None:
    original = "That's life\nTry to sleep"
    edits = [edit("insert", 0, new="Oh no."), edit("replace", 1, "Try to sleep", "What keeps you up?")]
    edits.append(edit("insert", 2, new="I care."))
    current = original
    for one in edits:
        changed = apply_to_current(original, current, one)
        assert changed is not None
        current = changed
    assert current == apply(original, edits)


@given(WORDS, WORDS, st.integers(0, 4), st.sampled_from(["insert", "replace"]))
def test_no_text_makes_a_late_edit_raise(original: str, current: str, index: int, op: str) -> None:
    found = sentences(original)
    assume(index <= len(found) - (op == "replace"))
    change = edit(op, index, found[index].text if op == "replace" else "")
    for result in (apply_to_current(original, current, change), apply_one(current, change)):
        assert result is None or change.new in result


def test_a_very_long_reply_is_cut_and_edited_quickly() -> None:
    reply = "This is a sentence. " * 1_000
    change = edit("replace", 500, "This is a sentence.")
    assert apply_to_current(reply, reply, change) is not None


@pytest.mark.parametrize("unit", ["\U0001f600", ".", "! ", ":) ", "\U0001f600 ", "a.", '."', " ", "\n", "1. ", "Dr. "])
@pytest.mark.parametrize("tail", ["x", " X"])
def test_long_runs_of_anything_are_cut_in_little_time(unit: str, tail: str) -> None:
    start = time.process_time()
    sentences(unit * (20_000 // len(unit)) + tail)
    assert time.process_time() - start < 1.0
