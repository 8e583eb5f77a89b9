"""The warm start: what a lesson teaches, in which window and where; that it is learned, stored and gone on with."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from ml.partner import warmstart
from ml.partner.corpus import Lesson
from ml.partner.policy import PLACES, STOP, PolicyConfig, Tokens, Tree, Window, pack
from ml.partner.training import HELD_OUT, Session, WarmStart, split, warm_start
from ml.partner.warmstart import Row, draw, epoch, place, put, tree
from ml.types import MECHANISMS, Slot
from tests.ml.tiny_policy import LESSONS, converted, policy, tokens

MIDDLE = Window(2, ("Three.", "Four."), starts=False, ends=False)
START = Window(0, ("One.", "Two."), starts=True, ends=False)


@pytest.mark.parametrize(
    ("slot", "window", "expected"),
    [
        (Slot("insert", 0), START, "insert 0"),
        (Slot("insert", 1), START, "insert 1"),
        (Slot("insert", 2), START, "insert 2"),
        (Slot("insert", 3), START, "stop"),
        (Slot("replace", 0, "One."), START, "replace 0"),
        (Slot("replace", 1, "Two."), START, "replace 1"),
        (Slot("replace", 2, "Three."), START, "stop"),
        (Slot("insert", 1), MIDDLE, "stop"),
        (Slot("insert", 2), MIDDLE, "stop"),
        (Slot("insert", 3), MIDDLE, "insert 1"),
        (Slot("insert", 4), MIDDLE, "insert 2"),
        (Slot("replace", 1, "Two."), MIDDLE, "stop"),
        (Slot("replace", 2, "Three."), MIDDLE, "replace 0"),
        (Slot("replace", 3, "Four."), MIDDLE, "replace 1"),
        (Slot("insert", 0), Window(0, (), starts=True, ends=True), "insert 0"),
        (Slot("insert", 1), Window(0, ("One.",), starts=True, ends=True), "insert 1"),
    ],
)
def test_a_slot_is_a_class_inside_the_window_and_stop_outside(slot: Slot, window: Window, expected: str) -> None:
    assert PLACES[place(slot, window)] == expected


@pytest.mark.parametrize(
    ("reply", "mechanism", "expected"),
    [
        ("", "er", "NEW."),
        ("Call her on Sunday.", "er", "NEW. Call her on Sunday."),
        ("Call her on Sunday.", "ex", "Call her on Sunday. NEW."),
        ("Hi there! Call her on Sunday.", "er", "Hi there! NEW. Call her on Sunday."),
        ("Call her on Sunday. Take care!", "ex", "Call her on Sunday. NEW. Take care!"),
    ],
)
def test_a_sentence_is_put_where_it_belongs(reply: str, mechanism: str, expected: str) -> None:
    assert put(reply, "NEW.", mechanism) == expected


def test_a_drawn_row_holds_the_sentence_of_the_mechanism_that_it_shows() -> None:
    rows = [draw(LESSONS[0], random.Random(seed)) for seed in range(200)]
    shown = [row for row in rows if row.shown]
    assert {row.shown for row in shown} == set(MECHANISMS)
    assert all(any(text in row.reply for text in getattr(row.lesson, row.shown or "")) for row in shown)
    assert {row.reply for row in rows if not row.shown} == {"", *LESSONS[0].drafts}
    assert 0.2 < len(shown) / len(rows) < 0.5


@pytest.mark.parametrize("shown", MECHANISMS)
def test_a_mechanism_already_shown_teaches_stop_and_no_sentence(shown: str) -> None:
    words = tokens()
    lesson = LESSONS[0]
    row = Row(lesson, put(lesson.drafts[0], getattr(lesson, shown)[0], shown), shown)
    found = tree(row, words, random.Random(1))
    for mechanism in MECHANISMS:
        mine = [branch for branch in found.branches if branch.mechanism == mechanism]
        if mechanism == shown:
            assert [(one.sentence, one.place) for one in mine] == [((), STOP)]
        else:
            assert [one.sentence for one in mine] == [tuple(words.sentence(t)) for t in getattr(lesson, mechanism)]


def test_a_tree_teaches_the_place_where_the_sentence_would_be_put() -> None:
    found = tree(Row(LESSONS[0], "Call her on Sunday.", None), tokens(), random.Random(1))
    assert [(one.mechanism, PLACES[one.place or 0]) for one in found.branches[::2]] == [
        ("er", "insert 0"),
        ("ip", "insert 0"),
        ("ex", "insert 1"),
    ]


def starts(batches: list[list[Tree]], words: Tokens, lessons: list[Lesson]) -> list[int]:
    heads = [tuple(words.post(lesson.post)) for lesson in lessons]
    trunks = [one.trunk for batch in batches for one in batch]
    return [next(i for i, head in enumerate(heads) if trunk[: len(head)] == head) for trunk in trunks]


def test_an_epoch_meets_every_lesson_once_and_its_seed_decides_how() -> None:
    words = tokens()
    many = [Lesson("t", "v", f"Post {n} says this.", *_rest()) for n in range(11)]
    first = epoch(many, words, size=3, seed=1)
    assert sorted(map(len, first)) == [2, 3, 3, 3]
    assert sorted(starts(first, words, many)) == list(range(11))
    assert first == epoch(many, words, size=3, seed=1)
    assert first != epoch(many, words, size=3, seed=2)


def _rest() -> tuple[tuple[str, ...], ...]:
    one = LESSONS[0]
    return one.drafts, one.er, one.ip, one.ex


def session(directory: Path, steps: int = 12) -> Session:
    return Session(policy(), directory, rate=1e-2, decay=0.01, steps=steps, warm_up=0.05)


def teach(run: Session, steps: int) -> list[float]:
    words, found = tokens(), []
    for _ in range(steps):
        rows = [tree(Row(lesson, lesson.drafts[0], None), words, random.Random(0)) for lesson in LESSONS]
        loss = warmstart.loss(run.policy, pack(rows, words))
        run.descend(loss)
        found.append(float(loss.detach()))
    return found


def test_a_few_steps_lower_the_loss_and_leave_the_base_as_it_was(tmp_path: Path) -> None:
    run = session(tmp_path)
    before = {name: value.clone() for name, value in run.policy.state_dict().items()}
    found = teach(run, 12)
    assert found[-1] < 0.8 * found[0]
    changed = {name for name, value in run.policy.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == set(run.policy.trained())


def test_a_stored_run_goes_on_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    whole = session(tmp_path / "whole")
    expected = teach(whole, 6)
    first = session(tmp_path / "parts")
    teach(first, 3)
    first.epoch = 2
    first.save("recipe")
    second = session(tmp_path / "parts")
    assert second.restore("recipe")
    assert (second.step, second.epoch) == (3, 2)
    assert teach(second, 3) == pytest.approx(expected[3:], abs=1e-6)


def test_a_run_of_another_recipe_is_refused_and_a_new_one_starts_anew(tmp_path: Path) -> None:
    run = session(tmp_path)
    assert not run.restore("mine")
    run.save("mine")
    with pytest.raises(ValueError, match="belongs to another recipe"):
        session(tmp_path).restore("yours")


def test_what_is_held_out_is_never_trained_on() -> None:
    many = [Lesson("t", "v", f"Post {n}.", *_rest()) for n in range(2 * HELD_OUT + 1)]
    kept, held = split(many)
    assert [many.index(one) for one in held] == [0, HELD_OUT, 2 * HELD_OUT]
    assert sorted(map(many.index, kept + held)) == list(range(len(many)))


def test_the_warm_start_resumes_to_the_very_same_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTUNE_MODEL_CACHE", str(tmp_path / "models"))
    converted(tmp_path / "models")
    recipe, config = WarmStart(epochs=2, size=2, seed=5), PolicyConfig(rank=2)
    many = [Lesson("t", "v", f"Post {n} says this.", *_rest()) for n in range(5)]
    whole = warm_start(many, recipe, config, tmp_path / "whole").trained()
    warm_start(many, recipe, config, tmp_path / "parts", stop=1)
    parts = warm_start(many, recipe, config, tmp_path / "parts").trained()
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())
    rows = (tmp_path / "parts" / "log.csv").read_text().splitlines()
    assert rows[0] == "step,held_out_sentences,held_out_places"
    assert [row.split(",")[0] for row in rows[1:]] == ["2", "4"]
