"""The crisis screen catches what it must, leaves everyday talk alone, and stays fast."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.safety.crisis import RELEASE, screen
from ml.safety.crisis_table import CATEGORIES, IDIOMS, PATTERNS, Pattern
from ml.safety.normalise import plain

_CAUGHT = """\
i wanna kms
I’m going to kill myself
k i l l  m y s e l f
k.i.l.l myself
I want to d1e
cant go on anymore
I cannot go on
end it all
They'd be better off without me.
I just don't want to be alive any more
no reason to keep living
i don't see the point in living
I don't see a reason to go on
I hate my life and want to end it
I've been thinking about ending things
su1cide
s\u200buicide
s*icide
\u0455uicid\u0435
thinking of unaliving myself tonight
I want to go to sleep and not wake up
I could die and nobody would care
my brother killed himself last year
I want to k!ll myself
i want to kiiiill myself
I want to\u2026 die
I don't wanna live
I can't live like this
Everyone would be happier if I was gone
there's nothing left for me
goodbye everyone, thank you for everything
I took 30 pills
I'm done. Tonight's the night.
I want to be with my mum in heaven
painless way to die
i wish i was never born
I WANT TO DIE!!!
I'd rather be dead
I hope I get hit by a car
kill urself
i\u2019m gonna kill my self
\uff29 \uff57\uff41\uff4e\uff54 \uff54\uff4f \uff44\uff49\uff45
I've been cutting again
He beat me last night
I'm scared he'll kill me
I'm making myself sick after meals
I want to hurt someone
my dad hits me"""
CAUGHT = [*_CAUGHT.splitlines(), "I   want\n\tto die"]

_LEFT_ALONE = """\
I'm dying to see it!
this deadline is killing me
just kill time
are you thinking of hurting yourself?
Do you sometimes want to die?
My grandmother died last week and I miss her
My dad is dying of cancer and I am heartbroken
That's life. Try to get some sleep.
You should talk to your boss.
I don't want to go to work anymore
My boss is killing it
I'd die for a slice of that cake
My phone died and the battery is dead
my mum will kill me if I fail
It sounds like you can't go on like this at work
I woke up late and missed the bus
I don't want to wake up at 5 for work
there is no point in applying, I never hear back
I cut my hair
My back is killing me
I can't do this course anymore
I ended it with my boyfriend
My brother hurt me with what he said
he hits the gym with me
I'm sick of living with my roommate
I can't carry on with this degree
I can't live without coffee
Nobody would notice if I left the party early
We watched Suicide Squad
I'm so sorry for your loss, that must be terrible
What has been the hardest part of this for you?"""
LEFT_ALONE = _LEFT_ALONE.splitlines()


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: f"{p.category}-{p.example[:32]}")
def test_each_pattern_catches_its_example(pattern: Pattern) -> None:
    words = f" . {plain(pattern.example)} . "
    assert pattern.regex.search(words)
    assert any(needle in words for needle in pattern.needles)
    hit = screen(pattern.example)
    assert hit is not None
    assert pattern.category in hit.categories


@pytest.mark.parametrize("idiom", IDIOMS, ids=lambda p: p.example)
def test_each_idiom_is_left_alone(idiom: Pattern) -> None:
    assert idiom.regex.search(f" . {plain(idiom.example)} . ")
    assert screen(idiom.example) is None


@pytest.mark.parametrize("text", CAUGHT)
def test_distress_is_caught_however_it_is_spelled(text: str) -> None:
    assert screen(text) is not None


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_everyday_talk_is_left_alone(text: str) -> None:
    assert screen(text) is None


@pytest.mark.parametrize("idiom", ["This deadline is killing me.", "I'm dying to see it.", "just killing time"])
def test_an_idiom_hides_nothing_that_stands_beside_it(idiom: str) -> None:
    assert screen(f"{idiom} But really I want to die.") is not None


def test_categories_come_in_one_order_and_without_the_words() -> None:
    hit = screen("My husband hits me and I want to die. I have been self-harming.")
    assert hit is not None
    assert hit.categories == ("suicide", "self_harm", "danger")
    assert set(hit.categories) <= set(CATEGORIES)


def test_empty_text_is_no_crisis() -> None:
    assert screen("") is None
    assert screen(" \n\t\u200b") is None


def test_the_release_names_the_version_and_the_patterns() -> None:
    assert RELEASE.startswith("crisis@1+")
    assert len(RELEASE) == len("crisis@1+") + 8


@given(st.text(max_size=400))
def test_no_text_makes_it_raise(text: str) -> None:
    screen(text)


@given(st.text(alphabet="abc .,!?\n'", max_size=60), st.text(alphabet="abc .,!?\n'", max_size=60))
def test_what_stands_around_does_not_hide_it(before: str, after: str) -> None:
    assert screen(f"{before}. I want to kill myself. {after}") is not None


@pytest.mark.parametrize(
    "unit",
    ["i ", "a.b.c.", "not ", "want to ", "1a", "k*", "i cant ", "you ", "\U0001f600", "a"],
)
def test_time_grows_no_faster_than_the_text(unit: str) -> None:
    def seconds(size: int) -> float:
        text = (unit * size)[:size]
        best = 9.0
        for _ in range(3):
            start = time.perf_counter()
            screen(text)
            best = min(best, time.perf_counter() - start)
        return best

    assert seconds(20_000) < 60 * seconds(1_000) + 0.05
