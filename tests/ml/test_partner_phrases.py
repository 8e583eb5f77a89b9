"""The phrase book is safe throughout, speaks to what a post is about, and knows cold sentences."""

from __future__ import annotations

import pytest

from ml.partner.phrases import cold, moves, themes
from ml.partner.placing import view
from ml.safety.candidates import check
from ml.types import MECHANISMS

MOVES = [(theme.name, text) for theme in themes() for _, text in theme.moves]

POSTS = [
    ("They made me redundant and I've had nine rejections since.", "job_search"),
    ("My girlfriend and I broke up on Sunday.", "breakup"),
    ("I have an exam tomorrow and can't remember a thing.", "study"),
    ("Our dog died last night, the house is so quiet.", "pet_loss"),
    ("My grandmother's funeral is tomorrow.", "bereavement"),
    ("I moved to a new city and eat lunch alone.", "new_place"),
    ("My rent went up and I can't afford the bills.", "money"),
    ("My mum and dad keep shouting, I'm in the middle.", "in_the_middle"),
    ("I look after my mum, she has dementia.", "caring"),
    ("I came out to my best friend today.", "coming_out"),
    ("My flatmate never cleans and I hide in my room.", "home_shared"),
    ("I said I was fine and smiled.", "masking"),
    ("The baby is six weeks old and I'm a new mum.", "new_parent"),
]


@pytest.mark.parametrize(("theme", "text"), MOVES, ids=[f"{n}-{t[:40]}" for n, t in MOVES])
def test_every_move_passes_the_safety_table(theme: str, text: str) -> None:
    assert check(text.replace("{who}", "your sister")) is None


def test_the_book_is_large_and_repeats_nothing() -> None:
    texts = [text for _, text in MOVES]
    assert len(texts) >= 120
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("theme", themes(), ids=lambda t: t.name)
def test_every_theme_offers_warmth_understanding_and_a_question(theme: object) -> None:
    found = {mechanism for mechanism, _ in theme.moves}  # type: ignore[attr-defined]
    assert found == set(MECHANISMS)


@pytest.mark.parametrize("text", [t for theme in themes() for m, t in theme.moves if m == "ex"])
def test_every_exploration_is_a_question(text: str) -> None:
    assert text.endswith("?")


@pytest.mark.parametrize(("post", "theme"), POSTS)
def test_a_post_finds_the_moves_for_its_situation(post: str, theme: str) -> None:
    assert theme in {move.theme for move in moves(post) if move.fit > 2.5}


def test_the_closest_themes_come_first_and_general_moves_last() -> None:
    found = moves("My manager cancelled my leave and I'm exhausted.")
    assert [move.fit for move in found] == sorted((move.fit for move in found), reverse=True)
    assert found[-1].theme == "any"


def test_somebody_is_named_only_where_the_post_names_one_person() -> None:
    one = [m.text for m in moves("I had a row with my sister.")]
    two = [m.text for m in moves("I had a row with my sister and my dad.")]
    assert any("your sister" in text for text in one)
    assert not any("{who}" in text or "your sister" in text for text in two)


@pytest.mark.parametrize(
    "text", ["That's life.", "Don\u2019t worry about it!", "it could be worse", "At least you have a job"]
)
def test_a_dismissive_sentence_is_known(text: str) -> None:
    assert cold(text) == "dismissive"


@pytest.mark.parametrize("text", ["I'm sorry to hear that.", "What happened?", "You could talk to your boss.", ""])
def test_a_kind_or_plain_sentence_is_not_cold(text: str) -> None:
    assert cold(text) is None


def test_a_greeting_stays_first_and_a_farewell_last() -> None:
    seen = view("Hi there! You should rest. Take care")
    assert seen.opening() == 1
    assert seen.ending() == 2
    assert view("You should rest.").opening() == 0
    assert view("You should rest.").ending() == 1


def test_of_a_long_reply_only_the_first_and_last_sentences_are_shown() -> None:
    seen = view("First one. " + "Another one here. " * 500 + "Last one.")
    assert len(seen.shown) == 8
    assert seen.compose().startswith("First one.")
    assert seen.compose().endswith("Last one.")
