"""The bots: what they read from HTML, how an effect is planted, and that they notice what is wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test.utils import override_settings
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.bots import planting, words
from analysis.bots.answers import Persona
from analysis.bots.bankscores import bank_scores
from analysis.bots.characters import CAST, NAMES, apportion, cast
from analysis.bots.endings import problems
from analysis.bots.engine import Browser, UnexpectedPageError
from analysis.bots.journey import Bot
from analysis.bots.pages import FormError, forms, parse
from analysis.bots.setting import Setting
from analysis.management.commands import simulate as command
from feedback import rewriters
from ml.safety import crisis
from ml.types import Edit, Pair, Proposal, Release, Score
from tests import builders
from trial.models import Allocation, Participant, Reply, Study
from trial.progress import State

# --- Pages ----------------------------------------------------------------------------------

PAGE = """
<main><form method="post" action="/go/"><input type="hidden" name="token" value="t&amp;1">
<fieldset><legend>Pick one</legend>
<label><input type="radio" name="one" value="a"> First</label>
<label><input type="radio" name="one" value="b" checked> Second</label></fieldset>
<input type="checkbox" name="many" value="x" id="x"><label for="x">An x</label>
<input type="checkbox" name="many" value="y" checked>
<label for="words">Words</label><textarea id="words" name="words">
 two
lines</textarea>
<select name="choice"><option value="1">One<option value="2" selected>Two</select>
<textarea name="off" disabled>never sent</textarea>
<fieldset disabled><input name="also_off" value="never"></fieldset>
<button name="act" value="next">Next</button><button formaction="/ask/" type="submit">Help</button>
<button type="button">Nothing</button></form></main>
"""


def test_a_form_sends_what_a_browser_would() -> None:
    form = forms(parse(PAGE))[0]
    assert form.filled({}, form.button(name="act")) == [
        ("token", "t&1"),
        ("one", "b"),
        ("many", "y"),
        ("words", " two\r\nlines"),
        ("choice", "2"),
        ("act", "next"),
    ]


def test_answers_replace_what_stood_in_the_form() -> None:
    form = forms(parse(PAGE))[0]
    sent = form.filled({"one": "a", "many": ["x", "y"], "words": "new\nline", "choice": "1"})
    assert sent[1:] == [("one", "a"), ("many", "x"), ("many", "y"), ("words", "new\r\nline"), ("choice", "1")]


def test_a_form_knows_labels_legends_and_where_each_button_leads() -> None:
    form = forms(parse(PAGE))[0]
    one = form.fields["one"]
    assert (one.legend, one.labels, one.options) == ("Pick one", ("First", "Second"), ("a", "b"))
    assert form.fields["many"].labels[0] == "An x"
    assert [(b.text, b.action) for b in form.buttons] == [("Next", ""), ("Help", "/ask/")]


@pytest.mark.parametrize("answers", [{"nowhere": "1"}, {"one": "c"}, {"one": ["a", "b"]}, {"token": "forged"}])
def test_a_form_refuses_answers_that_a_person_could_not_give(answers: dict[str, Any]) -> None:
    with pytest.raises(FormError):
        forms(parse(PAGE))[0].filled(answers)


@given(st.text())
def test_any_text_can_be_parsed(text: str) -> None:
    assert parse(text).tag == "document"


def test_a_question_that_says_what_to_choose_is_obeyed_only_by_the_attentive() -> None:
    html = '<form method="post"><fieldset><legend>Please choose "Blue".</legend>'
    html += "".join(f'<label><input type="radio" name="q" value="{v}"> {v.title()}</label>' for v in ("red", "blue"))
    field = forms(parse(html + "</fieldset></form>"))[0].fields["q"]
    assert {Persona(random.Random(n)).answer(field) for n in range(20)} == {"blue"}
    assert {Persona(random.Random(n), attentive=False).answer(field) for n in range(20)} == {"red", "blue"}


# --- Words and cast -------------------------------------------------------------------------


def test_the_bank_is_varied_and_worries_no_screen() -> None:
    assert len({draft.text for draft in words.BANK}) == len(words.BANK) >= 60
    assert {draft.level for draft in words.BANK} == set(range(7))
    harmless = [*(d.text for d in words.BANK), *words.REMARKS, *words.REASONS, *words.FLAG_REASONS]
    assert [text for text in harmless if crisis.screen(text)] == []


def test_what_should_worry_the_screen_does() -> None:
    assert crisis.screen(words.WORRYING) is not None


@given(st.lists(st.integers(1, 20), min_size=1, max_size=15), st.integers(0, 500))
def test_shares_add_up_and_are_never_off_by_one_or_more(shares: list[int], count: int) -> None:
    parts = apportion(shares, count)
    assert sum(parts) == count
    assert all(abs(n - share * count / sum(shares)) < 1 for n, share in zip(parts, shares, strict=True))


def test_sixty_bots_hold_every_character_and_the_seed_fixes_their_order() -> None:
    players = cast(60, 1)
    assert {player.name for player in players} == set(NAMES)
    assert players == cast(60, 1) != cast(60, 2)
    assert sum(character.share for character in CAST) == 60


# --- Planting -------------------------------------------------------------------------------

scores = st.integers(1, 5).flatmap(
    lambda posts: st.lists(st.lists(st.integers(0, 6), min_size=4, max_size=12), min_size=posts, max_size=posts).map(
        _even
    )
)


def _even(rows: list[list[int]]) -> np.ndarray[Any, Any]:
    """Posts with the same number of replies, each with bad and good ones."""
    width = min(map(len, rows))
    return np.array([[0, 6, *row[:width]] for row in rows], dtype=float)


@given(scores, st.floats(-1.0, 1.0))
def test_the_difference_between_the_arms_is_the_planted_one_at_every_post(
    given_scores: np.ndarray[Any, Any], effect: float
) -> None:
    try:
        planted = planting.plant(given_scores, effect=effect)
    except planting.NotPlantableError:
        assume(False)
    for post in range(len(given_scores)):
        difference = planted.expected(post, helped=True) - planted.expected(post, helped=False)
        assert difference == pytest.approx(effect, abs=1e-9)


@given(scores, st.floats(-0.5, 0.5))
def test_planting_never_touches_the_arm_without_help(given_scores: np.ndarray[Any, Any], effect: float) -> None:
    try:
        planted = planting.plant(given_scores, effect=effect)
    except planting.NotPlantableError:
        assume(False)
    plain = planting.plant(given_scores, effect=0.0)
    for ability in (0, 7, 14):
        without = planted.chances(0, ability, helped=False)
        assert without == pytest.approx(plain.chances(0, ability, helped=False))
        assert without.sum() == pytest.approx(1.0)


def test_without_an_effect_both_arms_write_by_the_same_chances() -> None:
    planted = planting.plant(planting.authored([0, 1, 2, 3, 4, 5, 6], 3), effect=0.0)
    assert (planted.chances(1, 4, helped=True) == planted.chances(1, 4, helped=False)).all()


def test_writers_differ_as_much_as_asked() -> None:
    levels = [draft.level for draft in words.BANK]
    planted = planting.plant(planting.authored(levels, 4), effect=0.3, between=0.4)
    means = [planted.chances(0, n, helped=False) @ planted.scores[0] for n in range(planting.LEVELS_OF_ABILITY)]
    assert np.std(means) == pytest.approx(0.4, abs=1e-6)
    assert means == sorted(means)


def test_drafts_drawn_by_planted_chances_show_the_effect() -> None:
    levels = np.array([draft.level for draft in words.BANK], dtype=float)
    planted = planting.plant(planting.authored(levels, 1), effect=0.6)
    chance = np.random.default_rng(4)
    mean = {
        helped: np.mean(
            [chance.choice(levels, p=planted.chances(0, chance.integers(15), helped=helped)) for _ in range(6000)]
        )
        for helped in (True, False)
    }
    assert mean[True] - mean[False] == pytest.approx(0.6, abs=0.12)


def test_an_effect_beyond_the_bank_is_refused() -> None:
    with pytest.raises(planting.NotPlantableError):
        planting.plant(np.array([[1.0, 1.0, 2.0]]), effect=3.0)


class CountingScorer:
    """Scores by length; counts the pairs it was asked for."""

    release = Release("counting", "1", "0" * 64)

    def __init__(self) -> None:
        self.asked = 0

    def score(self, pairs: Sequence[Pair]) -> list[Score]:
        self.asked += len(pairs)
        return [_score(len(pair.response) // 60) for pair in pairs]


def _score(level: int) -> Score:
    er = min(level, 2)
    rows = tuple(tuple(float(n == er) for n in range(3)) for _ in range(3))
    return Score((er, er, er), rows)  # type: ignore[arg-type]


def test_the_bank_is_scored_once_for_a_release(tmp_path: Path) -> None:
    scorer = CountingScorer()
    posts = ["One post.", "Another post."]
    first = bank_scores(posts, scorer, measure="empathy", folder=tmp_path)
    again = bank_scores(posts, scorer, measure="empathy", folder=tmp_path)
    assert (first == again).all()
    assert first.shape == (2, len(words.BANK))
    assert scorer.asked == 2 * len(words.BANK)
    bank_scores([*posts, "A third."], scorer, measure="empathy", folder=tmp_path)
    assert scorer.asked == 5 * len(words.BANK)


# --- The whole way --------------------------------------------------------------------------


class Kind:
    """A rewriter that always offers the same two sentences."""

    release = Release("kind", "1", "0" * 64)

    def propose(self, post: str, reply: str, **_: Any) -> Proposal:
        edits = tuple(
            Edit("insert", 0, "", sentence, before=1.0, after=2.0)
            for sentence in ("I am sorry it is like this.", "What is the hardest part?")
        )
        return Proposal("suggestions", _score(0), edits=edits)

    def prepare(self, post: str) -> None:
        """The same two sentences need no reading."""


@pytest.fixture
def kind_rewriter(hailey: Study) -> Iterator[None]:
    name = hailey.protocol.feedback.rewriter
    rewriters.register(name, lambda _: Kind())
    yield
    rewriters.unregister(name)


def run(*options: str) -> str:
    out = StringIO()
    call_command("simulate", "hailey", *options, stdout=out, stderr=out)
    return out.getvalue()


def test_every_character_ends_where_it_should(hailey: Study, kind_rewriter: None, settings: Any) -> None:
    settings.DEBUG = True  # as a developer may have it; bots still get the pages that people get
    names = ("leaves", "declines", "ineligible", "unsafe", "withdraws", "erases", "flags", "worries", "returns")
    out = run("--participants", "9", "--only", *names)
    assert "9 bots, 9 as they should be" in out
    assert Participant.objects.filter(simulated=True).count() == 9
    ends = Participant.objects.values_list("state", flat=True)
    assert sorted(ends) == sorted(next(c for c in CAST if c.name == name).end for name in names)


def test_those_offered_help_take_it_through_the_page(hailey: Study, kind_rewriter: None) -> None:
    for seed in range(1, 20):
        assert "1 bots, 1 as they should be" in run("--participants", "1", "--seed", str(seed), "--only", "struggling")
        if Allocation.objects.filter(arm="a1").exists():
            break
    helped = Reply.objects.filter(text__contains="What is the hardest part?")
    assert set(helped.values_list("participant__allocation__arm", flat=True)) == {"a1"}


def test_light_bots_double_click_their_way_to_the_end(hailey: Study) -> None:
    out = run("--participants", "2", "--light", "--only", "doubles", "skims")
    assert "2 bots, 2 as they should be" in out
    assert "0 taps" in out
    assert Reply.objects.submitted().count() == 20


def test_a_page_without_its_field_stops_the_bot_at_once(hailey: Study, tmp_path: Path, settings: Any) -> None:
    template = tmp_path / "trial" / "writing.html"
    template.parent.mkdir()
    original = (settings.BASE_DIR / "templates" / "trial" / "writing.html").read_text()
    template.write_text(original.replace('name="revision"', 'name="version"'))
    settings.TEMPLATES = [
        settings.TEMPLATES[0] | {"DIRS": [tmp_path, *settings.TEMPLATES[0]["DIRS"]]},
    ]
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("simulate", "hailey", "--participants", "1", "--light", "--only", "able", stderr=out, stdout=out)
    assert "bot 1 (able), step writing reply 1" in out.getvalue()
    assert "/study/hailey/writing/ (status 200)" in out.getvalue()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("{% crisis_help %}", "", "the crisis bar is missing"),
        ("<footer", "<p>You are in the Human + AI group.</p><footer", "tells an arm"),
        ("<footer", "<p>Control group</p><footer", "tells an arm"),
    ],
)
def test_every_page_must_show_help_and_tell_no_arm(
    hailey: Study, tmp_path: Path, settings: Any, old: str, new: str, complaint: str
) -> None:
    original = (settings.BASE_DIR / "templates" / "base.html").read_text()
    assert old in original
    (tmp_path / "base.html").write_text(original.replace(old, new))
    settings.TEMPLATES = [
        settings.TEMPLATES[0] | {"DIRS": [tmp_path, *settings.TEMPLATES[0]["DIRS"]]},
    ]
    with pytest.raises(UnexpectedPageError, match=complaint):
        Browser("1 (able)", address="10.0.0.1", arm_words=("Human + AI",)).open("/study/hailey/")


def test_a_bot_notices_that_the_study_holds_something_else(hailey: Study) -> None:
    setting = Setting(hailey, 1, planting.plant(planting.authored([d.level for d in words.BANK], 94), effect=0.0))
    bot = Bot(setting, 1, next(c for c in CAST if c.name == "able"))
    with_mail = override_settings(EMAIL_BACKEND=command.IN_MEMORY)
    with with_mail:
        bot.take_part()
    assert problems(bot) == []
    Reply.objects.filter(participant=bot.participant, position=3).update(text="Something else.")
    assert problems(bot) == ["replies [3] are not stored as they were sent"]
    Participant.objects.filter(pk=bot.participant).update(state=State.WRITING)
    assert problems(bot)[0] == "is at writing, not at completed"


def test_bots_stay_out_of_a_study_with_real_participants(hailey: Study, settings: Any) -> None:
    builders.participant(hailey, state=State.INSTRUCTIONS)
    settings.DEMO = False
    with pytest.raises(CommandError, match="real participants"):
        run("--participants", "1")


@pytest.mark.django_db
def test_a_study_that_does_not_exist_is_said_to_be_missing() -> None:
    with pytest.raises(CommandError, match="There is no study nowhere"):
        call_command("simulate", "nowhere")


def test_a_study_that_is_closed_takes_no_bots(hailey: Study) -> None:
    Study.objects.filter(pk=hailey.pk).update(state=Study.State.CLOSED)
    with pytest.raises(CommandError, match="closed"):
        run("--participants", "1")
