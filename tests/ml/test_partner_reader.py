"""The learnt reader: its labels are readable, it learns what separates them, and no post is its own judge."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.partner import reader
from ml.partner.decoding import Decoder, Likely
from ml.partner.mirror import said_back, trials
from ml.partner.reader import FOLDS, OPENING, SAD, SELDOM, Judged, LabelError, Reader, fit, fold, measures
from ml.types import MECHANISMS
from tests.ml.tiny_policy import POST, policy, tokens

LIKELY = Likely(-1.5, -4.0)
BACK = said_back(POST)


def judged(post: str, *, shown: bool, text: str = "It sounds lonely.", mechanism: str = "ip") -> Judged:
    return Judged(post, mechanism, text, mirrored=False, shown=shown)


# --- labels -------------------------------------------------------------------------------------


def test_the_labels_are_readable_and_each_verdict_is_one_that_the_criteria_know() -> None:
    found = reader.labels()
    written = [json.loads(line) for line in reader.LABELS.read_text(encoding="utf-8").splitlines()]
    verdicts = [verdict for row in written for verdict in row["verdicts"]]
    assert len(found) == len(verdicts) > 4_000
    assert all(re.fullmatch("y|n[a-z0-9]", verdict) for *_, verdict in verdicts)
    assert sum(one.shown for one in found) == sum(verdict == "y" for *_, verdict in verdicts)
    assert sum(one.mirrored for one in found) == sum(source == "mirror" for _, _, source, _ in verdicts)
    assert {one.mechanism for one in found} == set(MECHANISMS)
    assert all(one.post.strip() and one.text.strip() for one in found)


def test_no_sentence_is_judged_both_ways_under_one_post() -> None:
    found = {(one.post, one.mechanism, one.text, one.shown) for one in reader.labels()}
    assert len(found) == len({row[:3] for row in found})


def test_every_fold_has_posts_and_verdicts_of_both_kinds() -> None:
    found = {(fold(one.post), one.shown) for one in reader.labels()}
    assert found == {(number, shown) for number in range(FOLDS) for shown in (True, False)}


def line(*verdict: object) -> str:
    return json.dumps({"post": POST, "verdicts": [list(verdict)]})


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "{",
        "[1]",
        '{"verdicts": [["er", "So sorry.", "policy", "y"]]}',
        f'{{"post": "{POST}"}}',
        f'{{"post": "{POST}", "verdicts": 3}}',
        line("er", "I'm so sorry.", "policy"),
        line("er", "I'm so sorry.", "policy", "y", "more"),
        line("??", "I'm so sorry.", "policy", "y"),
        line("er", "I'm so sorry.", "parrot", "y"),
        line("er", "I'm so sorry.", "policy", "perhaps"),
        line("er", "I'm so sorry.", "policy", 1),
    ],
)
def test_a_bad_line_is_refused_with_its_file_and_number(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join([line("er", "I'm so sorry.", "mirror", "y"), bad, line("ex", "How so?", "policy", "nf")]))
    with pytest.raises(LabelError, match=r"^mine\.jsonl:2: "):
        reader.labels(path)


def test_a_verdict_is_read_with_its_post_and_its_source(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(f"{line('er', 'Sorry.', 'mirror', 'y')}\n{line('ex', 'How so?', 'policy', 'nf')}\n")
    assert reader.labels(path) == [
        Judged(POST, "er", "Sorry.", mirrored=True, shown=True),
        Judged(POST, "ex", "How so?", mirrored=False, shown=False),
    ]


# --- measures -----------------------------------------------------------------------------------


def test_a_sentence_that_only_copies_has_all_its_words_there_and_one_long_run() -> None:
    found = reader.copies("Your sister moved away last week.", BACK)
    assert found == {"2": 1.0, "3": 1.0, "4": 1.0, "run": 1.0, "long": 0.6, "novel": 0.0}


def test_a_sentence_of_other_words_has_nothing_there() -> None:
    found = reader.copies("Everybody gets over such things some day.", BACK)
    assert (found["2"], found["3"], found["4"], found["run"], found["long"]) == (0, 0, 0, 0, 0)
    assert found["novel"] == (7 - OPENING) / 5


def test_words_of_the_opening_are_not_new_and_a_broken_run_is_shorter() -> None:
    found = reader.copies("It must hurt that your sister moved far away last week.", BACK)
    assert found["run"] == pytest.approx(3 / 11), "your sister moved"
    assert found["long"] == pytest.approx(0.3)
    assert found["novel"] == pytest.approx(1 / 5), "far"
    assert found["2"] == pytest.approx(4 / 10)
    assert found["3"] == pytest.approx(2 / 9)
    assert found["4"] == 0


@pytest.mark.parametrize(("text", "back"), [("", ()), ("", BACK), ("Alone.", ()), ("...", BACK)])
def test_nothing_to_compare_is_nothing_copied(text: str, back: tuple[str, ...]) -> None:
    assert set(reader.copies(text, back).values()) == {0.0}


def test_a_mirrored_sentence_is_measured_apart_from_the_policy_s_own() -> None:
    text = "I'm so sorry your sister moved away last week."
    own, mirrored = (measures(POST, "er", text, LIKELY, mirrored=kind) for kind in (False, True))
    assert {name for name in own if name.startswith("own_")} == {f"own_copied_{name}" for name in reader.copies("", ())}
    assert not [name for name in mirrored if name.startswith("own_")]
    assert (own["mirrored"], own["mirrored_mean"], own["is_er_mirrored"]) == (0, 0, 0)
    assert (mirrored["mirrored"], mirrored["mirrored_mean"], mirrored["is_er_mirrored"]) == (1, -1.5, 1)
    assert own["mean"] == mirrored["mean"] == -1.5
    assert own["mean_squared"] == 2.25
    assert own["least"] == -0.8


def test_an_opening_and_a_mechanism_have_measures_of_their_own() -> None:
    found = measures(POST, "er", "I'm so sorry your sister moved away.", LIKELY, mirrored=False)
    assert found["opens I'm so sorry your"] == 1
    assert found["is_er"] == 1
    assert found["is_er_mean"] == -1.5
    assert not {"is_ip", "is_ex"} & set(found)


def test_an_echo_counts_the_post_s_own_words() -> None:
    near, far = (
        measures(POST, "ip", text, LIKELY, mirrored=False)
        for text in ("It must be lonely without your sister in the quiet house.", "It must be a heavy burden.")
    )
    assert near["echo"] > far["echo"] == 0
    assert near["echoes"] == pytest.approx(3 / 5), "sister, quiet, house"


def test_measuring_keeps_the_order_and_mixes_up_no_posts() -> None:
    found = [
        judged(POST, shown=True),
        judged("They gave my desk away.", shown=False, text="It must hurt that they gave your desk away."),
        judged(POST, shown=False, text="What do you miss most about her?", mechanism="ex"),
    ]
    decoder = Decoder(policy(), tokens())
    together = reader.measured(decoder, found)
    for one, row in zip(found, together, strict=True):
        (alone,) = reader.measured(Decoder(policy(), tokens()), [one])
        assert row == pytest.approx(alone, abs=1e-4)
        (likely,) = decoder.likelihoods(one.post, [(one.mechanism, one.text)])
        assert row["mean"] == pytest.approx(likely.mean, abs=1e-4)


def test_a_clause_is_as_sad_as_the_policy_is_sooner_sorry_than_glad() -> None:
    decoder = Decoder(policy(), tokens())
    said = ["your sister moved away last week", "you miss your nan"]
    told = reader.tones(decoder, POST, [*said, said[0]])
    assert list(told) == said
    for clause in said:
        sorry, asked, glad = (one.mean for one in decoder.likelihoods(POST, trials(clause)))
        assert told[clause].heart == pytest.approx(max(sorry, asked), abs=1e-4)
        assert told[clause].tone == pytest.approx(sorry - glad, abs=1e-4)
    assert reader.tones(decoder, POST, []) == {}


def test_a_mirrored_sentence_is_measured_with_the_tone_of_its_clause() -> None:
    decoder = Decoder(policy(), tokens())
    clause, text = "your sister moved away last week", "It must have hurt when your sister moved away last week."
    own, mirrored = reader.measured(
        decoder, [Judged(POST, "ip", text, mirrored=kind, shown=True) for kind in (False, True)]
    )
    tone = reader.tones(decoder, POST, [clause])[clause].tone
    assert mirrored["is_ip_tone"] == pytest.approx(tone, abs=1e-4)
    assert abs(tone) > 0.01
    assert own["is_ip_tone"] == 0


@pytest.mark.parametrize(("tone", "sad"), [(SAD + 0.01, 1.0), (SAD, 0.0), (-1.0, 0.0)])
def test_only_a_tone_above_the_mark_is_sad(tone: float, sad: float) -> None:
    found = measures(POST, "er", "I'm so sorry.", LIKELY, mirrored=True, tone=tone)
    assert (found["is_er_tone"], found["is_er_sad"]) == (tone, sad)


# --- learning -----------------------------------------------------------------------------------


def toy(count: int = 40) -> tuple[list[dict[str, float]], list[bool]]:
    """Sentences that are shown exactly where `good` is above zero; `noise` says nothing."""
    rows = [{"one": 1.0, "good": (-1.0) ** n, "noise": float(n // 2 % 2)} for n in range(count)]
    return rows, [row["good"] > 0 for row in rows]


def test_a_reader_learns_what_separates_the_verdicts() -> None:
    rows, shown = toy()
    found = fit(rows, shown)
    assert all((found.chance(row) > 0.9) == good for row, good in zip(rows, shown, strict=True))
    assert all((found.chance(row) < 0.1) != good for row, good in zip(rows, shown, strict=True))
    assert abs(found.weights["noise"]) < 0.1 < found.weights["good"]


def test_where_nothing_separates_them_the_chance_is_their_share() -> None:
    found = fit([{"one": 1.0}] * 40, [n % 4 == 0 for n in range(40)])
    assert found.chance({"one": 1.0}) == pytest.approx(0.25, abs=0.01)


def test_a_measure_of_few_sentences_is_left_out() -> None:
    rows, shown = toy()
    seldom = [row | {"seldom": 1.0} for row in rows[: SELDOM - 1]]
    often = [row | {"often": 1.0} for row in rows[SELDOM - 1 :][:SELDOM]]
    assert set(fit([*seldom, *often, *rows[len(seldom + often) :]], shown).weights) == {"one", "good", "noise", "often"}


def test_a_reader_of_no_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one verdict"):
        fit([], [])


def test_learning_is_repeatable() -> None:
    assert fit(*toy()) == fit(*toy())


POSTS = [f"Post {number} tells something." for number in range(30)]


def test_the_sentences_of_a_post_are_in_one_fold_and_all_folds_are_used() -> None:
    assert {fold(post) for post in POSTS} == set(range(FOLDS))
    assert [fold(post) for post in ("one", "two", "three", "four")] == [0, 0, 3, 4], "in every process"


def test_no_post_judges_itself() -> None:
    found = [judged(post, shown=n % 3 == 0) for post in POSTS for n in range(6)]
    rows = [{"one": 1.0, "turn": float(n % 3 == 0), f"of {fold(one.post)}": 1.0} for n, one in enumerate(found)]
    before = reader.across(found, rows)
    turned = [Judged(o.post, o.mechanism, o.text, o.mirrored, o.shown != (fold(o.post) == 2)) for o in found]
    after = reader.across(turned, rows)
    for one, was, now in zip(found, before, after, strict=True):
        if fold(one.post) == 2:
            assert now == was, "its own verdicts do not reach it"
        else:
            assert now != was, "those of the other folds do"


# --- figures ------------------------------------------------------------------------------------


def test_the_figures_are_those_counted_by_hand() -> None:
    found = [
        judged("one", shown=True),
        judged("one", shown=False),
        judged("two", shown=False),
        judged("two", shown=True),
        judged("three", shown=False),
    ]
    assert reader.quality(found, [0.9, 0.5, 0.8, 0.4, 0.1]) == {
        "n": 5,
        "posts": 3,
        "shown": 0.4,
        "auc": 0.667,  # 0.9 stands above all three that are not shown, 0.4 above one
        "shown_of_each_posts_likeliest": 0.333,
        "passed": 3,
        "shown_of_passed": 0.333,
    }


def test_where_all_are_shown_nothing_can_be_told_apart() -> None:
    found = reader.quality([judged("one", shown=True)], [0.2])
    assert (found["auc"], found["passed"], found["shown_of_passed"]) == (None, 0, 0)
    assert reader.quality([], [])["n"] == 0


# --- chances ------------------------------------------------------------------------------------

numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(numbers, numbers)
def test_a_chance_lies_between_none_and_certainty_however_huge_the_measures(weight: float, value: float) -> None:
    assert 0 < Reader({"a": weight}).chance({"a": value, "unknown": value}) < 1


def test_a_chance_grows_with_what_speaks_for_the_sentence() -> None:
    found = Reader({"for": 2.0, "against": -1.0})
    assert found.chance({}) == 0.5
    assert found.chance({"for": 1.0}) == pytest.approx(1 / (1 + math.exp(-2)))
    assert found.chance({"for": 1.0, "against": 1.0}) == pytest.approx(1 / (1 + math.exp(-1)))


def test_stored_weights_come_back_as_the_same_reader() -> None:
    found = fit(*toy())
    again = Reader(json.loads(json.dumps(found.stored())))
    assert again.weights == pytest.approx(found.weights, abs=1e-5)
    assert all(again.chance(row) == pytest.approx(found.chance(row), abs=1e-4) for row in toy()[0])


# --- known defects: strict, so that each of these marks goes with its defect --------------------


def test_a_few_verdicts_make_a_reader_that_knows_nothing() -> None:
    assert fit([{"one": 1.0}] * (SELDOM - 1), [True] * (SELDOM - 1)).chance({"one": 1.0}) == 0.5


def test_what_cannot_be_measured_is_not_shown() -> None:
    assert not Reader({"mean": 1.0}).chance({"mean": float("nan")}) >= 0.5


def test_a_misspelt_verdict_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text(line("er", "I'm so sorry.", "policy", "yes"))
    with pytest.raises(LabelError):
        reader.labels(tmp_path / "mine.jsonl")


def test_a_reader_that_knows_nothing_tells_nothing_apart() -> None:
    assert reader.quality([judged("one", shown=True), judged("two", shown=False)], [0.5, 0.5])["auc"] == 0.5
