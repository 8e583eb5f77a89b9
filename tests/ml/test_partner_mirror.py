"""A post's own clauses are turned round without a change of who did what, or they are left out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.partner.mirror import (
    CARE,
    FELT_SO,
    FEWEST_WORDS,
    IS,
    MOST_WORDS,
    WAS,
    clause_of,
    clauses,
    framed,
    said_back,
    trials,
    was,
    words,
)
from ml.safety.candidates import check
from ml.text import sentences
from ml.types import MECHANISMS

ORDINARY = (
    "My boss shouted at me in the kitchen.",
    "i miss my nan so much",
    "My sister moved away last week. I was at work on monday when she left.",
    "lost my job today and i cant sleep",
    "i feel so alone at work",
    "My dad sold the house. He never asked me about it.",
)
SAID = """
I i im I'm my me we our he she dad mum boss man the Monday monday was were am is left told asked who which and but
because , . ! ? ' " \u2019 ; ( ) - : you Karen never so at home
""".split()  # noqa: SIM905 - as a writer would type it


# --- turning round ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        ("My boss shouted at me in the kitchen.", "your boss shouted at you in the kitchen"),
        ("I was at the desk until nine.", "you were at the desk until nine"),
        ("I wasn't asked at all.", "you weren't asked at all"),
        ("I am not asleep yet", "you are not asleep yet"),
        ("im so tired of my job", "you're so tired of your job"),
        ("I\u2019ve lost the ring.", "you've lost the ring"),
        ("we sold our house in october", "you sold your house in October"),
        ("I saw Karen on monday", "you saw Karen on Monday"),
        ("i cant live by myself", "you can't live by yourself"),
        ("The boss said I was late.", "the boss said you were late"),
        ("My sister was late for me.", "your sister was late for you"),
        ("Mum kept our letters from us.", "Mum kept your letters from you"),
        ("honestly my mates have stopped asking", "your mates have stopped asking"),
        ("Lost my job today.", "you lost your job today"),
    ],
)
def test_a_clause_is_said_back_to_its_writer(post: str, expected: str) -> None:
    assert clauses(post) == [expected]


def test_a_sentence_is_taken_whole_and_at_its_breaks_and_nothing_twice() -> None:
    whole, first, second = "you failed the test because your alarm never rang", "you failed the test", "your alarm"
    found = clauses("I failed the test because my alarm never rang. I failed the test!")
    assert found == [whole, first, f"{second} never rang"]


def test_two_neighbouring_clauses_of_one_tense_are_joined_by_a_plain_and() -> None:
    assert "your dad lied to you and your mum left you" in clauses("My dad lied to me, my mum left me.")
    assert "your dad hates you and your mum left you" not in clauses("My dad hates me, my mum left me.")


def test_a_name_is_kept_where_the_post_writes_it_in_capitals_elsewhere_too() -> None:
    assert clauses("Karen took my bike away.") == []
    assert "Karen took your bike away" in clauses("I saw Karen. Karen took my bike away.")


# --- he and she ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        ("My dad left us. He took my bike.", "your dad took your bike"),
        ("My mum is away. My dad left us. He took my bike.", "your dad took your bike"),
        ("my sister is away. she's not ringing me.", "your sister's not ringing you"),
        ("My boss rang. She was kind to me.", "your boss was kind to you"),
        ("My dad's car was there. My brother rang. He took my bike.", "your brother took your bike"),
    ],
)
def test_a_leading_he_or_she_is_the_only_one_it_can_be(post: str, expected: str) -> None:
    assert expected in clauses(post)


@pytest.mark.parametrize(
    "before",
    [
        "My dad and my brother rang.",
        "My dad rang. The man next door looked.",
        "My dad rang. A young doctor came.",
        "My mum rang.",
        "It rained.",
    ],
)
def test_a_he_that_could_be_another_is_left_out(before: str) -> None:
    assert not [one for one in clauses(f"{before} He took my bike.") if "bike" in one]


@pytest.mark.parametrize(
    ("post", "kept"),
    [
        ("My sister lost her keys.", True),
        ("i saw my brother with his new friend", True),
        ("I saw Karen with her new friend.", True),
        ("my keys were in her car", False),
        ("i lost his old watch", False),
        ("i told them about work", False),
        ("my boss took it from me", False),
        ("my boss said no, which hurt", False),
    ],
)
def test_a_clause_that_points_at_something_else_in_the_post_is_left_out(post: str, kept: bool) -> None:
    assert bool([one for one in clauses(post) if len(one.split()) == len(post.split())]) is kept


@pytest.mark.parametrize("post", ["My boss said what now.", "my mum asked did i eat today", "My dad told me no."])
def test_speech_that_ran_into_its_speaker_is_left_out(post: str) -> None:
    assert clauses(post) == []


# --- what is left out ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "post",
    [
        "",
        " \n ",
        "...",
        'I said "go away from me" and left.',
        "I said \u201cgo away from me\u201d and left.",
        "My friend told you about it.",
        "I know ur busy with it.",
        "I ran.",
        "I " + "really " * MOST_WORDS + "tried.",
        "It was raining all day long.",
        "Today my boss rang.",
        "What is my life, honestly?",
        "My boss wrote #blessed to me.",
        "My boss is a shithead to me.",
    ],
)
def test_what_cannot_be_turned_round_safely_is_left_out(post: str) -> None:
    assert clauses(post) == []


def test_the_length_of_a_clause_is_bounded_on_both_sides() -> None:
    longest = "I " + "really " * (MOST_WORDS - 2) + "tried"
    assert [len(one.split()) for one in clauses(longest)] == [MOST_WORDS]
    assert [len(one.split()) for one in clauses("I tried hard.")] == [FEWEST_WORDS]
    assert clauses("I tried.") == []


# --- openings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clause", "past"),
    [
        ("your dad left you in May", True),
        ("you were told that your job is over", True),
        ("you didn't sleep", True),
        ("your boss shouted at you", True),
        ("you are told that your job was over", False),
        ("you've lost the ring", False),
        ("you miss your nan", False),
        ("your nan has gone", False),
    ],
)
def test_the_first_verb_decides_the_tense_and_the_openings(clause: str, past: bool) -> None:
    assert was(clause) is past
    mine, others = (WAS, IS) if past else (IS, WAS)
    found = framed(clause)
    understood = [text for mechanism, text in found if mechanism == "ip"]
    assert understood[: len(mine["ip"])] == [one.format(clause) for one in mine["ip"]]
    assert not {one.format(clause) for one in others["ip"]} & set(understood)
    asked = [text for mechanism, text in found if mechanism == "ex"]
    assert asked[0] == mine["ex"][0].format(clause)
    assert set(asked) <= {one.format(clause) for one in mine["ex"]}
    assert [text for mechanism, text in found if mechanism == "er"] == [one.format(clause) for one in CARE]
    assert {mechanism for mechanism, _ in found} == set(MECHANISMS)


def test_nobody_is_asked_what_they_thought_when_they_did_it() -> None:
    assert not [text for _, text in framed("you lost your job") if "mind" in text]


def test_nobody_is_asked_how_they_felt_when_they_felt() -> None:
    assert not [text for mechanism, text in framed("you felt so alone at work") if mechanism == "ex"]


@pytest.mark.parametrize("clause", ["your dad left you in May", "you miss your nan", "you cried when your nan left"])
def test_the_clause_behind_an_opening_is_found_again(clause: str) -> None:
    found = [text for _, text in framed(clause) if not text.startswith("It makes sense")]  # a known defect, below
    assert {clause_of(text) for text in found} == {clause}
    assert clause_of("You must miss your nan.") == "You must miss your nan"


def test_only_a_feeling_sounds_so_and_makes_sense() -> None:
    so = {one.format("you feel so alone at work") for one in FELT_SO}
    assert so <= {text for mechanism, text in framed("you feel so alone at work") if mechanism == "ip"}
    assert not [text for _, text in framed("your dad left you") if text.startswith(("It sounds", "It makes", "No "))]


def test_a_clause_is_tried_as_a_thing_to_be_sorry_for_to_ask_about_and_to_be_glad_of() -> None:
    for clause in ("your dad left you in May", "you miss your nan"):
        sorry, asked, glad = trials(clause)
        assert {sorry, asked} <= set(framed(clause))
        assert (sorry[0], asked[0]) == ("er", "ex")
        assert glad == ("er", f"I'm so glad {clause}.")


@pytest.mark.parametrize("post", ORDINARY)
def test_whatever_stands_behind_an_opening_passes_the_safety_table(post: str) -> None:
    found = [text for clause in clauses(post) for _, text in framed(clause)]
    assert len(found) >= 6
    assert [(text, no.reason) for text in found if (no := check(text))] == []


# --- the whole post -----------------------------------------------------------------------------


def test_the_post_as_said_back_holds_its_words_turned_round() -> None:
    post = "My boss said I was lazy. im off on monday!"
    assert said_back(post) == (*words("your boss said you were lazy"), ".", *words("you're off on Monday"), ".")
    assert said_back("") == ()


def test_every_clause_stands_in_the_post_as_said_back() -> None:
    post = "My dad sold the house because we were broke, and I was never asked. I feel like a guest in my own home."
    back = " ".join(said_back(post))
    found = clauses(post)
    assert len(found) >= 4
    assert [one for one in found if " ".join(words(one)) not in back] == []


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=120), st.lists(st.sampled_from(SAID), max_size=30).map(" ".join)))
def test_no_post_makes_it_raise_and_no_writer_speaks_in_a_clause(post: str) -> None:
    for clause in clauses(post):
        # A person's name stands for "he" and is a word more.
        assert FEWEST_WORDS <= len(clause.split()) <= MOST_WORDS + 1
        assert not {"I", "me", "my", "I'm", "I've", "we", "our"} & {word.rstrip(",") for word in clause.split()}
        assert len(trials(clause)) == 3
        assert len(framed(clause)) >= len(CARE)
    assert said_back(post).count(".") <= len(sentences(post))


# --- known defects: strict, so that each of these marks goes with its defect --------------------


@pytest.mark.parametrize(
    ("post", "wrong"),
    [
        ("I met my ex again, who told me to go home.", "you told you to go home"),
        ("My brother passed the potatoes, which was perfect.", "you were perfect"),
    ],
)
def test_what_somebody_else_did_is_never_the_writer_s(post: str, wrong: str) -> None:
    assert wrong not in clauses(post)


@pytest.mark.parametrize("post", ["My mum said 'I hate my job' and left.", "The nurse said 'oh, I see' to us."])
def test_a_quotation_in_single_marks_is_left_out(post: str) -> None:
    assert not [one for one in clauses(post) if "'I" in one or "'oh" in one]


@pytest.mark.parametrize(
    ("post", "wrong"),
    [
        ("I really am tired of all my work.", "you really am tired of all your work"),
        ("I just was not good enough.", "you just was not good enough"),
        ("i lay down and was sad", "you lay down and was sad"),
    ],
)
def test_am_and_was_follow_their_subject(post: str, wrong: str) -> None:
    assert wrong not in clauses(post)


def test_no_clause_ends_before_what_it_says() -> None:
    assert "the house is" not in clauses("The house is so quiet now that I cannot sleep.")


def test_her_without_a_woman_hangs_in_proper_spelling_too() -> None:
    assert clauses("My keys were in her car.") == clauses("my keys were in her car") == []


@pytest.mark.parametrize("post", ["My nan died this morning.", "I found out that my sister lied."])
def test_this_morning_points_at_nothing(post: str) -> None:
    assert clauses(post)


def test_what_went_through_a_mind_may_be_asked_of_what_others_did() -> None:
    assert [text for _, text in framed("your dad left you in May") if "mind" in text]


def test_the_clause_behind_it_makes_sense_is_found_again() -> None:
    assert clause_of("It makes sense that you feel so alone.") == "you feel so alone"


def test_we_at_the_beginning_of_a_sentence_is_turned_too() -> None:
    assert clauses("We moved my mother into a home.") == ["you moved your mother into a home"]


def test_a_habit_is_not_past() -> None:
    assert not was("you go home each night to a room painted yellow")


def test_two_who_act_together_are_not_taken_apart() -> None:
    assert "you were never close" not in clauses("My mum and I were never close.")
