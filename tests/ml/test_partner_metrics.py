"""The figures by which rewriters are compared follow their definitions."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.partner.coherence import Coherence
from ml.partner.metrics import (
    HELD,
    Language,
    Remembered,
    Row,
    Tools,
    Turn,
    beside,
    distinct,
    edit_rate,
    estimate,
    levenshtein,
    report,
    totals,
    words,
)
from ml.types import Edit, Pair, Proposal
from tests.ml.lexicon import LexiconScorer

POST = "My boss presented my work as his own today. I clapped along with everyone, even old Quillfeather."
COLD = "That's life. You should talk to him over a plate of zanderfish."


def edit(op: Any, index: int, new: str, old: str = "", gain: float = 1.0) -> Edit:
    return Edit(op, index, old, new, 0.0, gain)


# --- figures ----------------------------------------------------------------------------------


def test_words_are_small_and_marks_and_emoji_stand_alone() -> None:
    assert words("Don't cry 😢!") == ["don't", "cry", "😢", "!"]


def test_distinct_counts_different_n_grams_within_texts() -> None:
    texts = ["so sad so sad", "So sad"]
    assert distinct(texts, 1) == pytest.approx(2 / 6, abs=1e-4)
    assert distinct(texts, 2) == pytest.approx(2 / 4)  # so-sad thrice, sad-so once; none from one text to the next
    assert distinct(["one", "two"], 2) is None


def test_edit_rate_is_the_distance_over_the_original_length() -> None:
    assert levenshtein("kitten", "sitting") == 3
    assert edit_rate("ok 🙂", "ok 🙃!") == pytest.approx(2 / 4)
    assert edit_rate("Ok.", "Ok. I'm so sorry.") == pytest.approx(14 / 3)
    assert edit_rate(words("That's life."), words("That hurts.")) == pytest.approx(2 / 3)
    assert math.isnan(edit_rate("", "Something"))


def recursive(one: str, other: str) -> int:
    """Levenshtein's distance as it is defined."""

    @cache
    def rest(i: int, j: int) -> int:
        if i == len(one) or j == len(other):
            return len(one) - i + len(other) - j
        same = one[i] == other[j]
        return min(rest(i + 1, j) + 1, rest(i, j + 1) + 1, rest(i + 1, j + 1) + (not same))

    return rest(0, 0)


@settings(max_examples=60, deadline=None)
@given(st.text("ab🙂", max_size=8), st.text("ab🙂", max_size=8))
def test_the_distance_is_that_of_the_definition(one: str, other: str) -> None:
    assert levenshtein(one, other) == recursive(one, other)


def test_an_estimate_is_a_ratio_of_sums() -> None:
    judged, paid = np.array([1.0, 2.0, 0.6, np.nan]), np.array([1.0, 3.0, 0.5, 9.0])
    found = estimate(judged, paid, seed=1)
    assert found is not None
    assert found.value == pytest.approx(3.6 / 4.5)
    assert found.n == 3
    assert found.low is not None
    assert found.high is not None
    assert 2 / 3 <= found.low <= found.value <= found.high <= 1.2  # within the rows' own ratios


def test_an_estimate_without_a_sense_is_none() -> None:
    assert estimate(np.array([]), seed=1) is None
    assert estimate(np.array([1.0]), np.array([0.0]), seed=1) is None
    half = estimate(np.array([1.0, 1.0]), np.array([1.0, 0.0]), seed=1)
    assert half is not None
    assert half.stored() == {"value": 2.0, "low": None, "high": None, "n": 2}


def test_the_bootstrap_repeats_for_a_seed() -> None:
    rows = np.random.default_rng(4).normal(size=40)
    assert estimate(rows, seed=1) == estimate(rows, seed=1)
    assert estimate(rows, seed=1) != estimate(rows, seed=2)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(7)
    found = [estimate(draw.normal(1.0, 1.0, size=60), seed=i, resamples=500) for i in range(300)]
    covered = [one is not None and (one.low or 0) <= 1.0 <= (one.high or 0) for one in found]
    assert 0.91 <= np.mean(covered) <= 0.98


def test_new_sentences_are_held_against_the_writer_s_own_beside_them() -> None:
    edits = [edit("replace", 0, "I'm so sorry.", "That's life."), edit("insert", 1, "It must hurt.")]
    assert beside("That's life. Talk to him. Bye.", edits) == [
        ("I'm so sorry.", "Talk to him."),
        ("It must hurt.", "Talk to him."),
    ]
    assert beside("Talk to him. Bye.", [edit("insert", 1, "How so?")]) == [
        ("How so?", "Talk to him."),
        ("How so?", "Bye."),
    ]
    assert beside("That's life.", edits[:1]) == []


def test_the_first_suggestion_is_the_one_that_gains_most() -> None:
    edits = (edit("insert", 0, "I'm so sorry.", gain=0.5), edit("insert", 1, "How so?", gain=0.9))
    turn = Turn(Row(Pair(POST, "Ok."), HELD), Proposal("suggestions", None, edits))
    assert turn.after_first == "Ok. How so?"
    assert turn.after == "I'm so sorry. Ok. How so?"


def test_what_is_known_is_not_computed_again() -> None:
    asked: list[str] = []

    def compute(texts: list[str]) -> list[int]:
        asked.extend(texts)
        return [len(text) for text in texts]

    lengths = Remembered(compute)
    assert lengths(["a", "bb", "a"]) == [1, 2, 1]
    assert lengths(["bb", "ccc"]) == [2, 3]
    assert asked == ["a", "bb", "ccc"]


# --- fluency ----------------------------------------------------------------------------------


def tiny(*, uniform: bool = False) -> Language:
    """GPT-2's architecture, untrained and small; uniform: every next letter is as likely as any other."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(2)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=512, n_embd=16, n_layer=1, n_head=2))
    if uniform:
        torch.nn.init.zeros_(model.lm_head.weight)
    return Language(model, lambda text: [ord(letter) % 50 for letter in text], 0)


def test_a_model_that_knows_nothing_is_as_perplexed_as_its_vocabulary_is_large() -> None:
    ((surprise, tokens),) = tiny(uniform=True).surprise(["Talk to him."])
    assert tokens == 12
    assert math.exp(surprise / tokens) == pytest.approx(50, rel=1e-4)


def test_a_text_is_as_surprising_in_company_as_alone() -> None:
    model, texts = tiny(), [POST[:40], "Ok.", COLD[:30]]
    together = model.surprise(texts)
    for text, found in zip(texts, together, strict=True):
        assert model.surprise([text])[0] == pytest.approx(found, rel=1e-4)


# --- one rewriter -----------------------------------------------------------------------------


def test_an_edit_that_the_classifier_judges_has_a_chance() -> None:
    torch.manual_seed(1)
    turn = Turn(Row(Pair(POST, COLD), HELD), Proposal("suggestions", None, (edit("insert", 1, "It must hurt."),)))
    still = Turn(Row(Pair(POST, COLD), HELD), Proposal("no_suggestion", None))
    judge = totals(LexiconScorer())
    tools = Tools(judge, judge, embed=lambda texts: [torch.ones(384) for _ in texts], coherence=Coherence().eval())
    found = report([turn, still], tools, 1)
    chance = found["all"]["coherence"]
    assert chance["n"] == 1
    assert 0 < chance["value"] < 1
