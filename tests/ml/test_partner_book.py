"""The phrase book finds the themes of a post, offers their sentences, and refuses weights that are not its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ml.partner import phrases
from ml.partner.book import (
    DELICATE,
    LEAST_CHANCE,
    NAME,
    SPREAD,
    SURE_CHANCE,
    WEIGHTS_FILE,
    PhraseBook,
    _either,
    broadened,
    measures,
)
from ml.partner.insight import Sight
from ml.partner.phrases import plain_themes
from ml.releases import WEIGHTS, UnknownReleaseError, WeightsError
from ml.types import MECHANISMS

POSTS = [
    ("Ninety applications and nothing but rejections. Looking for a job is wearing me down.", "job_hunt"),
    ("My girlfriend left me on Sunday. I keep crying in the car.", "left_by_partner"),
    ("I have three exams next week and I can't remember a thing, I'm so scared of failing.", "exam_stress"),
    ("Our dog died last night. He was fourteen. The house is so quiet.", "pet_died"),
    ("My nan died on Tuesday and I can't stop thinking about her.", "grandparent_died"),
    ("I miss home so much, my mum's cooking and my own language. I have been abroad for a year.", "homesick"),
    ("The rent went up again and I can't pay the bills, I lie awake over money.", "money_worry"),
    ("Mum has dementia. Today she asked me who I was.", "dementia"),
    ("Nobody invited me. I saw the photos of all of them together.", "left_out"),
    ("My boss screams at me in front of everybody and I dread every day.", "bad_boss"),
    ("The baby is six weeks old, she cries all night and I'm so lonely and worn out.", "new_baby"),
    ("I lie awake every single night. I haven't slept in days.", "insomnia"),
]


@pytest.fixture(scope="module")
def book() -> PhraseBook:
    return PhraseBook.load()


@pytest.mark.parametrize(("post", "theme"), POSTS)
def test_a_post_has_the_theme_it_tells_of_among_its_likeliest(book: PhraseBook, post: str, theme: str) -> None:
    likeliest = sorted(book.insight.sights([post])[0], key=lambda sight: -sight.has)[:4]
    assert theme in {sight.theme for sight in likeliest}


def test_the_surest_sentences_come_first_and_doubtful_ones_never(book: PhraseBook) -> None:
    moves = book.candidates(POSTS[1][0], seed=1)
    fits = [move.rank for move in moves]
    assert fits == sorted(fits, reverse=True)
    known = [move.fit for move in moves if move.theme != phrases.general().name]
    assert min(known) >= SPREAD * LEAST_CHANCE
    assert {move.mechanism for move in moves} == set(MECHANISMS)


def test_what_could_shame_is_said_only_where_it_is_surer(book: PhraseBook) -> None:
    post = "I hate how I look. I am fat and ugly and everything I try fails, I'm worthless."
    delicate = [move.fit for move in book.candidates(post, seed=1) if move.theme in DELICATE]
    assert min(delicate) >= SPREAD * SURE_CHANCE


def test_every_delicate_theme_is_one_of_the_book(book: PhraseBook) -> None:
    assert set(book.themes) >= DELICATE


def test_a_seed_gives_the_same_order_and_another_seed_another(book: PhraseBook) -> None:
    post = POSTS[1][0]
    assert book.candidates(post, seed=1) == book.moves(post, "any reply", seed=1)
    assert book.candidates(post, seed=1) != book.candidates(post, seed=2)


def test_one_book_serves_a_whole_process(book: PhraseBook) -> None:
    assert PhraseBook.load() is book


def test_a_broad_theme_is_had_as_surely_as_any_of_its_parts() -> None:
    found = [Sight(theme.name, 2.0 if theme.name == "pet_died" else -9.0, -9.0) for theme in plain_themes()]
    broad = {sight.theme: sight for sight in broadened(found)}
    assert broad["bereaved"].has == pytest.approx(2.0, abs=0.05)
    assert broad["study"].has < -6


@pytest.mark.parametrize(("logits", "either"), [([0.0], 0.0), ([0.0, 0.0], 1.0986), ([-50.0], -20.7), ([800.0], 30.0)])
def test_one_of_several_things_holds_by_chance_of_each(logits: list[float], either: float) -> None:
    assert _either(logits) == pytest.approx(either, abs=0.1)


def test_a_sentence_that_names_somebody_is_measured_as_such() -> None:
    sight = Sight("pet_died", 4.0, 2.0)
    assert measures(sight, "er", "I'm so sorry about {who}.", 0.5, broad=True)["named"] == 1.0
    assert measures(sight, "er", "I'm so sorry.", 0.5, broad=False) == {
        "one": 1.0,
        "has": 1.0,
        "heart": 0.5,
        "prior": 0.5,
        "named": 0.0,
        "broad": 0.0,
        "is_er": 1.0,
        "is_er_heart": 0.5,
        "theme_pet_died": 1.0,
    }


# --- the release --------------------------------------------------------------------------------


def copy(root: Path, **changes: object) -> Path:
    folder = Path(shutil.copytree(WEIGHTS / NAME, root / NAME))
    info = json.loads((folder / "release.json").read_text())
    (folder / "release.json").write_text(json.dumps(info | changes))
    return folder


def test_a_copy_of_the_release_loads_as_well(tmp_path: Path, book: PhraseBook) -> None:
    copy(tmp_path)
    again = PhraseBook.load(root=tmp_path)
    assert again.release == book.release
    assert again.candidates(POSTS[0][0], seed=1) == book.candidates(POSTS[0][0], seed=1)


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    with (copy(tmp_path) / WEIGHTS_FILE).open("ab") as file:
        file.write(b"x")
    with pytest.raises(WeightsError, match="not the pinned file"):
        PhraseBook.load(root=tmp_path)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"book_sha256": "0" * 64}, "not the one that the release was made with"),
        ({"themes": ["angry"]}, "other themes"),
        ({"judge": None}, "not a readable release"),
        ({"shape": {"rank": "wide"}}, "not a readable release"),
        ({"shape": {"colour": 1}}, "not a readable release"),
    ],
)
def test_a_release_that_does_not_fit_the_book_is_refused(
    tmp_path: Path, changes: dict[str, object], match: str
) -> None:
    copy(tmp_path, **changes)
    with pytest.raises(WeightsError, match=match):
        PhraseBook.load(root=tmp_path)


def test_without_a_release_there_is_no_book(tmp_path: Path) -> None:
    with pytest.raises(UnknownReleaseError):
        PhraseBook.load(root=tmp_path)


def test_general_sentences_come_after_everything_that_knows_the_post(book: PhraseBook) -> None:
    moves = book.candidates(POSTS[1][0], seed=1)
    general = [move.theme == phrases.general().name for move in moves]
    assert general == sorted(general)
    assert 0 < sum(general) < len(general)


def test_a_post_that_no_theme_fits_still_gets_general_sentences(book: PhraseBook) -> None:
    moves = book.candidates("My allotment neighbour keeps moving the water butt and I feel awful about it.", seed=1)
    assert {move.mechanism for move in moves} == set(MECHANISMS)


def test_good_news_gets_no_sorrow_for_want_of_better(book: PhraseBook) -> None:
    post = "I passed my driving test today after four tries! I am so proud and wanted to tell somebody."
    assert not [move for move in book.candidates(post, seed=1) if move.theme == phrases.general().name]
