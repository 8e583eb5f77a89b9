"""Nothing prohibited passes the table, whatever its spelling, and good suggestions do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.safety.candidates import RULES, Rule, check
from ml.safety.normalise import fold, plain

CAUGHT = [(rule, text) for rule in RULES for text in rule.caught]
ALLOWED = [text for rule in RULES for text in rule.allowed]


@pytest.mark.parametrize(("rule", "text"), CAUGHT, ids=[f"{r.name}-{t[:40]}" for r, t in CAUGHT])
def test_each_rule_refuses_its_examples(rule: Rule, text: str) -> None:
    assert rule.refuses(fold(text), f" . {plain(text)} . ")
    refusal = check(text)
    assert refusal is not None
    assert refusal.text == text


@pytest.mark.parametrize("text", ALLOWED)
def test_a_good_suggestion_passes_the_whole_table(text: str) -> None:
    assert check(text) is None


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_every_rule_has_examples_of_both_kinds(rule: Rule) -> None:
    assert len(set(rule.caught)) >= 4
    assert len(set(rule.allowed)) >= 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "too_short"),
        ("Oh no.", "too_short"),
        ("It sounds " + "so very, " * 20 + "hard.", "too_long"),
        ("It sounds hard \U0001f622.", "odd_characters"),
        ("It sounds très dur pour toi.", "odd_characters"),
        ("That sounds hard. What happened next?", "not_one_sentence"),
        ("It sounds like a lot to hold", "not_one_sentence"),
        ("it sounds like a lot to hold.", "not_one_sentence"),
        ("Twee shows achter elkaar klinkt werkelijk heel zwaar.", "not_english"),
        ("It sounds so qwrtpsdfgh today.", "not_english"),
        ("It sounds hard hard for you.", "repeats_itself"),
        ("It is so hard and it is so sad.", "repeats_itself"),
    ],
)
def test_a_suggestion_must_look_like_one(text: str, reason: str) -> None:
    refusal = check(text)
    assert refusal is not None
    assert refusal.reason == reason


@pytest.mark.parametrize("trick", ["\u200b", "\u00ad", "\u2060"])
def test_invisible_characters_hide_nothing(trick: str) -> None:
    assert check(f"You should k{trick}ill yourself.") is not None
    assert check(f"You sho{trick}uld rest.") is not None


@given(st.text(max_size=200))
def test_no_text_makes_the_table_raise(text: str) -> None:
    check(text)
