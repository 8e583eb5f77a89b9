"""The phrase book is safe throughout, never names the wrong person, and knows cold sentences."""

from __future__ import annotations

import pytest

from ml.partner.phrases import GLAD, WHO, Theme, cold, general, named, plain_themes, themes
from ml.partner.placing import slots, view
from ml.safety.candidates import check
from ml.types import MECHANISMS

EVERY = (*themes(), general())
SENTENCES = [(theme.name, mechanism, text) for theme in EVERY for mechanism, text in theme.phrases]


@pytest.mark.parametrize("theme", EVERY, ids=lambda theme: theme.name)
def test_every_sentence_of_a_theme_passes_the_safety_table(theme: Theme) -> None:
    refused = [text for _, text in theme.phrases if check(text.replace(WHO, "your sister"))]
    assert not refused


def test_the_book_is_large_and_repeats_nothing() -> None:
    texts = [text.lower() for *_, text in SENTENCES]
    assert len(texts) >= 2_000
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("theme", EVERY, ids=lambda theme: theme.name)
def test_every_theme_offers_warmth_understanding_and_a_question_without_a_name(theme: Theme) -> None:
    assert {mechanism for mechanism, text in theme.phrases if WHO not in text} == set(MECHANISMS)


def test_explorations_are_questions_and_nothing_else_is() -> None:
    assert not [text for _, mechanism, text in SENTENCES if text.endswith("?") != (mechanism == "ex")]


def test_themes_have_unlike_names_and_broad_ones_are_made_of_others() -> None:
    names = [theme.name for theme in themes()]
    assert len(set(names)) == len(names)
    assert {part for theme in themes() for part in theme.of} <= {theme.name for theme in plain_themes()}
    assert GLAD in names


def test_a_sentence_with_a_name_belongs_to_a_theme_that_says_whose() -> None:
    assert not [(theme.name, text) for theme in themes() for _, text in theme.phrases if WHO in text and not theme.kind]


@pytest.mark.parametrize(
    ("kind", "post", "who"),
    [
        ("parent", "My dad died in March.", "your dad"),
        ("parent", "my mums ill", None),
        ("parent", "Mum says that my dad would be proud.", None),
        ("friend", "My best friend has not written.", "your best friend"),
        ("friend", "My friends went without me.", None),
        ("sibling", "My older sister and I fell out. My sister will not talk.", "your older sister"),
        ("partner", "My dad died.", None),
        ("person", "My aunt is in hospital and my cousin looks after her.", None),
        ("pet", "We lost our dog.", "your dog"),
        ("boss", "", None),
    ],
)
def test_a_person_is_named_only_where_the_post_speaks_of_one_of_the_kind(kind: str, post: str, who: str | None) -> None:
    assert named(kind, post) == who


def test_a_sentence_with_a_name_is_not_said_where_there_is_none_to_fill_in() -> None:
    theme = Theme("t", "", (("er", "I'm so sorry about {who}."), ("er", "I'm so sorry.")), kind="parent")
    assert [said for *_, said in theme.said("My dad died.")] == ["I'm so sorry about your dad.", "I'm so sorry."]
    assert [said for *_, said in theme.said("He died.")] == ["I'm so sorry."]


@pytest.mark.parametrize(
    "text", ["That's life.", "Don\u2019t worry about it!", "it could be worse", "At least you have a job"]
)
def test_a_dismissive_sentence_is_known(text: str) -> None:
    assert cold(text) == "dismissive"


@pytest.mark.parametrize(
    "text",
    [
        "Just leave him, he's not worth it.",
        "Just stop thinking about it.",
        "Just stop it.",
        "You should have asked somebody.",
        "You need to move on.",
        "just leave",
    ],
)
def test_a_harsh_sentence_is_known(text: str) -> None:
    assert cold(text)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry to hear that.",
        "What happened?",
        "You could talk to your boss.",
        "",
        "Just leave at 5:30!",
        "Say 'personal reasons' and move on to what you can offer.",
        "Take a day off and just stop.",
        "You could have a bath.",
        "You should have a rest tonight.",
    ],
)
def test_a_kind_or_plain_sentence_is_not_cold(text: str) -> None:
    assert cold(text) is None


def test_a_greeting_stays_first_and_a_farewell_last() -> None:
    seen = view("Hi there! You should rest. Take care")
    assert seen.opening() == 1
    assert seen.ending() == 2
    assert view("You should rest.").opening() == 0
    assert view("You should rest.").ending() == 1


@pytest.mark.parametrize(
    "reply",
    [
        "Hello.",
        "Hi,\nYou should rest.",
        "Hello dear. You should rest.",
        "Good morning! You should rest.",
        "Good day. You should rest.",
        "Dear friend, you should rest.",
        "Greetings! You should rest.",
        "hey you should rest",
    ],
)
def test_nothing_is_put_before_a_greeting(reply: str) -> None:
    assert view(reply).greeted() == 1
    assert view(reply).between(0) == 1


@pytest.mark.parametrize(
    "reply",
    [
        "High time you rested.",
        "Hire a cleaner.",
        "Dear me, what a day.",
        "Dear God, that is a lot.",
        "Yo-yo dieting fails.",
        "Good day to rest today.",
    ],
)
def test_what_only_looks_like_a_greeting_is_none(reply: str) -> None:
    assert view(reply).greeted() == 0


def test_a_reply_whose_greeting_runs_on_is_not_cut_in_two_by_warmth() -> None:
    assert [slot.index for slot in slots(view("Hi there, you should rest more. Sleep helps. Walks too."), "er")] == [3]
    assert [slot.index for slot in slots(view("Hi there, you should rest more. Sleep helps. Take care!"), "er")] == [2]
    assert view("Hi there, you should rest more. Sleep helps. Walks too.").between(2) == 2


FAREWELLS = [
    "Best of luck with the next one.",
    "Have fun with it!",
    "Hope you feel better soon x",
    "Hope that helps!",
    "feel better soon 🤞",
    "Love from Leeds",
    "xoxo",
    "Thanks!",
]


@pytest.mark.parametrize("farewell", FAREWELLS)
def test_nothing_is_put_behind_a_farewell(farewell: str) -> None:
    assert view(f"You should rest. {farewell}").ending() == 1


@pytest.mark.parametrize(
    "advice",
    [
        "Get better at saying no to her.",
        "Best thing is to talk to him.",
        "Stay off social media for a while.",
        "Thanks to him you're free now.",
        "Sending him a text might help.",
        "Love is complicated like that.",
        "Hug your mum.",
    ],
)
def test_advice_that_only_looks_like_a_farewell_is_none(advice: str) -> None:
    assert view(f"You should rest. {advice}").ending() == 2


def test_of_a_long_reply_only_the_first_and_last_sentences_are_shown() -> None:
    seen = view("First one. " + "Another one here. " * 500 + "Last one.")
    assert len(seen.shown) == 8
    assert seen.compose().startswith("First one.")
    assert seen.compose().endswith("Last one.")
