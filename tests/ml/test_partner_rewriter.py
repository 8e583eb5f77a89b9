"""The rewriter offers few, fitting, safe edits; is silent where it should be; and never raises."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.partner.book import PhraseBook
from ml.partner.filters import alike, dressed, refusal, unfaithful
from ml.partner.phrases import Move
from ml.partner.rewriter import LEAST_ROOM, MOST_NEW, build
from ml.releases import UnknownReleaseError
from ml.safety.candidates import check
from ml.text import apply, sentences
from ml.types import Proposal, Rewriter
from tests.ml.lexicon import LexiconScorer

POST = "My boss presented my work as his own today. I clapped along with everyone."
LEFT = "My girlfriend left me on Sunday. I keep crying in the car and I miss her so much."
COLD = "That's life. You should talk to him."
WARM = "I'm so sorry. It must be so painful. What has it been like to keep quiet about it?"
CRISIS = "I can't go on and I want to die."


def rewriter(name: str = "phrasebook", **policy: float) -> Rewriter:
    return build(name, scorer=LexiconScorer(), gate=policy.get("gate", 4.0), min_gain=policy.get("min_gain", 0.15))


def propose(reply: str, post: str = LEFT, *, seed: int = 1, **more: object) -> Proposal:
    return rewriter().propose(post, reply, seed=seed, **more)  # type: ignore[arg-type]


def test_a_cold_reply_gets_up_to_three_edits_that_apply() -> None:
    proposal = propose(COLD)
    assert proposal.outcome == "suggestions"
    assert 1 <= len(proposal.edits) <= 3
    assert all(edit.gain >= 0.15 for edit in proposal.edits)
    rewritten = apply(COLD, proposal.edits)
    assert all(edit.new in rewritten for edit in proposal.edits)


def test_a_dismissive_sentence_is_replaced_and_advice_is_kept() -> None:
    proposal = propose(COLD)
    assert [edit.old for edit in proposal.edits if edit.op == "replace"] == ["That's life."]
    assert "You should talk to him." in apply(COLD, proposal.edits)


def test_edits_differ_in_kind_and_do_not_collide() -> None:
    for seed in range(12):
        edits = propose(COLD, seed=seed).edits
        replaced = [edit.index for edit in edits if edit.op == "replace"]
        assert len(set(replaced)) == len(replaced)
        assert not any(alike(a.new, b.new) for a in edits for b in edits if a is not b)


@pytest.mark.parametrize("reply", ["lol", "You should talk to him.", "Eat well, sleep well and see a friend. " * 2])
def test_several_edits_together_do_not_outgrow_the_reply(reply: str) -> None:
    found = [propose(reply, seed=seed).edits for seed in range(12)]
    several = [sum(len(edit.new) for edit in edits) for edits in found if len(edits) > 1]
    assert max(several) <= max(LEAST_ROOM, MOST_NEW * len(reply))


def test_a_single_edit_may_outgrow_the_reply_and_a_second_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.partner.rewriter.LEAST_ROOM", 0)
    for seed in range(4):
        (edit,) = propose("ok", seed=seed).edits
        assert len(edit.new) > MOST_NEW * len("ok")


def test_every_suggestion_passes_the_safety_table() -> None:
    for seed in range(12):
        assert all(check(edit.new) is None for edit in propose(COLD, seed=seed).edits)


def test_an_empathic_reply_is_left_alone() -> None:
    proposal = propose(WARM)
    assert proposal.outcome == "nothing_needed"
    assert proposal.edits == ()
    assert proposal.before is not None


def test_the_gate_decides_what_is_empathic_enough() -> None:
    assert rewriter(gate=0.1).propose(LEFT, COLD, seed=1).outcome == "nothing_needed"


def test_no_edit_below_the_least_gain_is_offered() -> None:
    assert rewriter(min_gain=5.0).propose(LEFT, COLD, seed=1).outcome == "no_suggestion"


@pytest.mark.parametrize(("post", "reply"), [(CRISIS, COLD), (POST, CRISIS)])
@pytest.mark.parametrize("name", ["phrasebook", "none"])
def test_nothing_is_generated_or_scored_where_the_crisis_screen_hits(name: str, post: str, reply: str) -> None:
    scorer = LexiconScorer()
    proposal = build(name, scorer=scorer, gate=4.0, min_gain=0.15).propose(post, reply, seed=1)
    assert proposal.outcome == "screened"
    assert proposal.before is None
    assert scorer.calls == 0


@pytest.mark.parametrize("reply", ["", "  \n"])
def test_an_empty_box_gets_an_opening_and_perhaps_a_question(reply: str) -> None:
    proposal = propose(reply)
    assert 1 <= len(proposal.edits) <= 2
    assert all(edit.op == "insert" and edit.index == 0 for edit in proposal.edits)
    assert not proposal.edits[0].new.endswith("?")


def test_the_same_seed_gives_the_same_edits() -> None:
    assert propose(COLD, seed=7).edits == propose(COLD, seed=7).edits


def test_a_reload_offers_sentences_not_shown_before() -> None:
    shown: set[str] = set()
    for _ in range(4):
        edits = propose(COLD, exclude=frozenset(shown)).edits
        assert edits
        assert not shown & {edit.new for edit in edits}
        shown |= {edit.new for edit in edits}
    refused = propose(COLD, exclude=frozenset(shown)).refused
    assert {r.text for r in refused if r.reason == "shown_before"} == shown


def test_a_sentence_shown_in_small_letters_is_not_offered_again_in_capitals() -> None:
    small = "thats life. you should talk to him"
    shown = {edit.new for edit in propose(small).edits}
    assert shown
    assert not any(text[0].isupper() for text in shown), "as its writer types"
    again = propose(COLD, exclude=shown)
    assert not {text.lower() for text in shown} & {edit.new.lower() for edit in again.edits}
    assert {no.text.lower() for no in again.refused if no.reason == "shown_before"} == {text.lower() for text in shown}


@pytest.mark.parametrize("shown", ["i'm so sorry about your boss.", "I'M SO SORRY ABOUT YOUR BOSS."])
def test_what_was_shown_before_is_refused_whatever_its_capitals(shown: str) -> None:
    mine = Move("er", "I'm so sorry about your boss.", "model", 2.5)
    no = refusal(mine, post=POST, reply="", exclude=[shown])
    assert no is not None
    assert (no.text, no.reason) == ("I'm so sorry about your boss.", "shown_before")
    assert refusal(mine, post=POST, reply="", exclude=["I'm so sorry about your work."]) is None


def test_when_all_has_been_shown_there_is_no_suggestion() -> None:
    everything = {move.text for move in PhraseBook.load().candidates(LEFT, seed=1)}
    assert propose(COLD, exclude=everything).outcome == "no_suggestion"


def test_the_limit_is_kept() -> None:
    assert len(propose(COLD, limit=1).edits) == 1
    assert propose(COLD, limit=0).edits == ()


def test_what_the_reply_says_already_is_not_offered_again() -> None:
    first = propose(COLD).edits[0].new
    again = propose(f"{first} You should talk to him.")
    assert first not in {edit.new for edit in again.edits}
    assert "already_said" in {r.reason for r in again.refused}


def test_the_scorer_is_asked_seldom_and_in_batches() -> None:
    scorer = LexiconScorer()
    build("phrasebook", scorer=scorer, gate=4.0, min_gain=0.15).propose(LEFT, COLD, seed=1)
    assert scorer.calls <= 4
    assert scorer.pairs <= 20


def test_indices_count_the_sentences_of_the_whole_reply_however_long() -> None:
    reply = "This is one more sentence. " * 700 + "That's life."
    proposal = propose(reply)
    assert proposal.outcome == "suggestions"
    assert all(edit.index <= len(sentences(reply)) for edit in proposal.edits)
    assert len(apply(reply, proposal.edits)) > len(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "\U0001f600" * 20_000,
        "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643",
        "a" * 20_000,
        "\x00\x01",
        "<script>x</script>",
        "?!?!",
        "- a\n- b\n1. c",
    ],
)
def test_odd_replies_get_an_answer(reply: str) -> None:
    proposal = propose(reply)
    assert all(edit.new in apply(reply, proposal.edits) for edit in proposal.edits)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200), st.integers(0, 2**70))
def test_no_text_makes_the_rewriter_raise(post: str, reply: str, seed: int) -> None:
    proposal = propose(reply, post, seed=seed)
    apply(reply, proposal.edits)


def test_a_rewriter_that_offers_nothing_still_says_whether_help_is_needed() -> None:
    assert rewriter("none").propose(LEFT, COLD, seed=1).outcome == "no_suggestion"
    assert rewriter("none").propose(LEFT, WARM, seed=1).outcome == "nothing_needed"


def test_an_unknown_rewriter_is_refused() -> None:
    with pytest.raises(UnknownReleaseError, match="phrasebook"):
        rewriter("parrot")


def test_the_release_changes_with_the_book() -> None:
    assert len(rewriter().release.sha256) == 64
    assert rewriter().propose(LEFT, COLD, seed=3).parameters["seed"] == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("It must hurt that your boss presented your work.", None),
        ("It must hurt that your sister presented your work.", "names_someone_not_in_the_post"),
        ("I'm so sorry that your boss presented your work.", None),
        ("It must be so hard.", "says_too_little_of_the_post"),
        ("It must hurt that she presented your work.", "gives_somebody_a_sex"),
        ("It must hurt after 3 years that your boss presented your work.", "invents_a_number"),
        ("My boss presented my work as his own today.", "repeats_the_post"),
        ("Clapped along with everyone?", "repeats_the_post"),
    ],
)
def test_a_generated_sentence_must_rest_on_the_post(text: str, reason: str | None) -> None:
    assert unfaithful(text, POST) == reason


@pytest.mark.parametrize("reply", ["thats life. talk to him", "ok", "100% true. \U0001f622", "don't know, im sorry"])
def test_a_writer_of_small_letters_is_offered_small_letters(reply: str) -> None:
    assert dressed("I'm so sorry that I read of Lagos, and I hope I've heard you.", reply) == (
        "i'm so sorry that i read of Lagos, and i hope i've heard you."
    )
    assert dressed("It must hurt to be in IT.", reply) == "it must hurt to be in IT."


@pytest.mark.parametrize(
    "reply",
    ["", "  ", "That's life.", "thats life. You should talk to him.", "thats life and I know it", "oh. I'm here", "OK"],
)
def test_every_other_writer_is_offered_sentences_as_they_are(reply: str) -> None:
    assert dressed("I'm so sorry that I read of it.", reply) == "I'm so sorry that I read of it."


def test_a_whole_answer_is_in_its_writer_s_letters() -> None:
    reply = "thats life. you should talk to him"
    edits = propose(reply).edits
    assert edits
    assert all(edit.new in apply(reply, edits) for edit in edits)
    assert not any(letter.isupper() for edit in edits for letter in edit.new)


@pytest.mark.parametrize(
    "text", ["You should quit and tell your boss.", "I've been there, my boss presented my work too.", "Kill yourself."]
)
def test_an_unsafe_generated_sentence_is_refused_with_its_rule(text: str) -> None:
    no = refusal(Move("ip", text, "model", 2.5), post=POST, reply="", exclude=())
    assert no is not None
    assert check(text) is not None
    assert no.reason == check(text).reason  # type: ignore[union-attr]
