"""Each perturbation writes the same thing differently, in the way that its name says."""

from __future__ import annotations

import re
from random import Random

import pytest

from ml.epitome import dialects
from ml.epitome.dialects import Rules
from ml.epitome.perturbations import (
    CONTRACTING,
    CONTRASTS,
    EMOJI,
    EXPANDING,
    NAMED,
    NAMES,
    PERTURBATIONS,
    emoji_for_stops,
    named,
    ruled,
    with_emoji,
    with_typos,
)
from ml.epitome.pronouns import HE, SHE, THEY, bare, with_pronouns
from ml.types import Pair

LONG = "Perhaps writing everything down before sleeping would quieten those racing thoughts somewhat. " * 20


def chance(seed: int = 1) -> Random:
    return Random(seed)


@pytest.mark.parametrize(
    ("rules", "before", "after"),
    [
        (EXPANDING, "I can't say I'm sure it's fine.", "I cannot say I am sure it is fine."),
        (EXPANDING, "It’s been hard, hasn’t it?", "It has been hard, has not it?"),
        (EXPANDING, "DON'T go", "DO NOT go"),
        (EXPANDING, "Sarah's house", "Sarah's house"),
        (CONTRACTING, "I am sorry, it is hard and I do not know.", "I'm sorry, it's hard and I don't know."),
        (CONTRACTING, "That is who you are.", "That's who you are."),
        (CONTRACTING, "You cannot know how they are doing", "You can't know how they are doing"),
        (dialects.AFRICAN_AMERICAN, "You are always kind.", "You always be kind."),
        (dialects.AFRICAN_AMERICAN, "I'm going to write.", "I'm finna write."),
        (dialects.AFRICAN_AMERICAN, "I'm going to the shop.", "I'm going to the shop."),
        (dialects.AFRICAN_AMERICAN, "You're doing fine, you are so strong.", "You doing fine, you so strong."),
        (dialects.AFRICAN_AMERICAN, "I didn't tell anyone anything.", "I didn't tell nobody nothing."),
        (dialects.AFRICAN_AMERICAN, "She isn't here", "She ain't here"),
        (dialects.INDIAN, "I understand you. I hope so.", "I am understanding you. I am hoping so."),
        (dialects.INDIAN, "Why are you sad now?", "Why you are sad now only?"),
        (
            dialects.SCOTTISH,
            "Yes, I don't know, it wasn't a bit late.",
            "Aye, I dinnae know, it wasnae a wee bit late.",
        ),
        (dialects.SCOTTISH, "You can’t do it, little one", "You cannae do it, wee one"),
        (dialects.IRISH, "I have just finished. It is hard.", "I'm after finishing. It is hard, so it is."),
        (dialects.IRISH, "They're always late and I wonder if she is", "They do be always late and I wonder is she"),
        (dialects.SECOND_LANGUAGE, "The advice that she gives hurts.", "Advices that she give hurts."),
        (dialects.SECOND_LANGUAGE, "It was always a start, he does his best", "It was always start, he does his best"),
    ],
)
def test_a_rule_rewrites_what_it_names_and_nothing_else(rules: Rules, before: str, after: str) -> None:
    assert ruled(before, rules) == after


@pytest.mark.parametrize(
    ("forms", "before", "after"),
    [
        (SHE, "He told me his dog likes him.", "She told me her dog likes her."),
        (HE, "She told me her dog likes her.", "He told me his dog likes him."),
        (HE, "It is hers, she did it herself.", "It is his, he did it himself."),
        (SHE, "The choice is his.", "The choice is hers."),
        (THEY, "She is kind and she always listens.", "They are kind and they always listen."),
        (THEY, "He's tired. He’s been ill, isn't he?", "They're tired. They’ve been ill, aren't they?"),
        (THEY, "Does she know? SHE DOES.", "Do they know? THEY DO."),
        (THEY, "I told her to call him.", "I told them to call them."),
        (THEY, "Let her and her sister be", "Let them and their sister be"),
        (SHE, "They said the hero then left", "They said the hero then left"),
    ],
)
def test_pronouns_change_with_their_verb_and_their_capital(forms: tuple[str, ...], before: str, after: str) -> None:
    assert with_pronouns(before, forms) == after


@pytest.mark.parametrize(
    ("verb", "plain"),
    [("wants", "want"), ("tries", "try"), ("goes", "go"), ("misses", "miss"), ("has", "have"), ("said", "said")],
)
def test_a_verb_loses_its_ending(verb: str, plain: str) -> None:
    assert bare(verb) == plain


def test_typos_change_about_one_long_word_in_eight_and_never_its_ends() -> None:
    before, after = LONG.split(), with_typos(LONG, chance()).split()
    slips = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert 0.06 < len(slips) / len(before) < 0.2
    assert all(one[0] == other[0] and one[-1] == other[-1] for one, other in slips)
    assert with_typos("to be or not", chance()) == "to be or not"


def test_emoji_are_added_at_the_end_or_take_the_place_of_full_stops() -> None:
    added = with_emoji("I am sorry. ", chance())
    assert added.startswith("I am sorry. ")
    assert added[12:] in EMOJI
    assert re.fullmatch(
        rf"So sad ([{''.join(EMOJI)}]) Why\? Well\.\.\.", emoji_for_stops("So sad. Why? Well...", chance())
    )


def test_a_reply_is_greeted_by_a_name_and_whoever_is_named_bears_another() -> None:
    pair = Pair("Emily left me for Omar.", "Emily was wrong.")
    found = named(("Ann", "Bea", "Cleo"), pair, chance())
    greeting, rest = found.response.split(", ", 1)
    called = greeting.removeprefix("Hi ")
    other = rest.removesuffix(" was wrong.")
    assert called in {"Ann", "Bea", "Cleo"}
    assert found.seeker == f"{other} left me for {other}."
    assert other != called


def test_groups_of_names_differ_in_the_names_alone() -> None:
    pair = Pair("I miss Priya.", "Tell her so.")
    every = [name for names in NAMES.values() for name in names]
    without = re.compile(rf"\b(?:{'|'.join(every)})\b")
    found = [one.rewrite(pair, chance(5)) for one in NAMED]
    assert len(set(found)) == len(NAMED)
    assert {(without.sub("", one.seeker), without.sub("", one.response)) for one in found} == {
        ("I miss .", "Hi , Tell her so.")
    }
    assert len(set(every)) == len(every)


@pytest.mark.parametrize("one", PERTURBATIONS, ids=lambda one: one.name)
def test_the_same_chance_gives_the_same_text(one) -> None:
    pair = Pair("She isn't sure. He's always sad.", LONG)
    assert one.rewrite(pair, chance(9)) == one.rewrite(pair, chance(9))


@pytest.mark.parametrize("one", PERTURBATIONS, ids=lambda one: one.name)
@pytest.mark.parametrize("reply", ["", "💛", "\ud800 ok", "she's " * 3000], ids=["empty", "emoji", "surrogate", "long"])
def test_any_reply_can_be_rewritten_and_an_empty_post_stays_empty(one, reply: str) -> None:
    assert one.rewrite(Pair("", reply), chance()).seeker == ""


def test_contrasts_speak_of_perturbations_that_there_are() -> None:
    known = {one.name for one in PERTURBATIONS}
    assert len(known) == len(PERTURBATIONS)
    assert all({*one.plus, *one.minus} <= known and not {*one.plus} & {*one.minus} for one in CONTRASTS)
