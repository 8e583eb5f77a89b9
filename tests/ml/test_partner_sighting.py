"""What reads a post for the phrase book learns from labelled posts, keeps some apart, and goes on where it stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ml.backbones import MINILM
from ml.partner import binding, phrases, reader
from ml.partner.__main__ import main
from ml.partner.insight import Insight, Shape
from ml.partner.phrases import plain_themes
from ml.partner.reader import Reader
from ml.partner.sighting import Read, Recipe, average_precision, batches, digest, labels, measured, train
from ml.releases import WeightsError

SMALL = Shape(backbone=MINILM, layers=1, rank=2, alpha=4.0, tokens=32, dropout=0.0)
QUICK = Recipe(epochs=6, size=4, rate=2e-3, warm_up=0.1)
DOG = [
    f"Our dog died {when} and the house is so quiet." for when in ("today", "on Monday", "last week", "in May", "again")
]
EXAM = [
    f"I have an exam {when} and can't remember a thing." for when in ("today", "on Monday", "in May", "soon", "now")
]
NAMES = [theme.name for theme in plain_themes()]


def read(post: str, theme: str) -> Read:
    return Read(post, frozenset((theme,)), frozenset((theme,)))


ROWS = [*(read(post, "pet_died") for post in DOG), *(read(post, "exam_stress") for post in EXAM)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Insight, Path]:
    place = tmp_path_factory.mktemp("insight")
    return train(ROWS, QUICK, SMALL, place), place


def test_it_learns_to_tell_themes_apart(trained: tuple[Insight, Path]) -> None:
    dog, exam = trained[0].logits(["Our dog died in June and the house is quiet.", "I have an exam tomorrow."])
    at = {name: i for i, name in enumerate(NAMES)}
    assert dog[at["pet_died"], 0] > dog[at["exam_stress"], 0]
    assert exam[at["exam_stress"], 1] > exam[at["pet_died"], 1]


def test_it_goes_on_where_it_stopped(trained: tuple[Insight, Path]) -> None:
    net, place = trained
    log = (place / "log.csv").read_text()
    again = train(ROWS, QUICK, SMALL, place)
    assert (place / "log.csv").read_text() == log, "nothing was left to do"
    assert all(torch.equal(value, again.trained()[name]) for name, value in net.trained().items())


def test_a_run_of_another_recipe_is_not_gone_on_with(trained: tuple[Insight, Path]) -> None:
    with pytest.raises(ValueError, match="another recipe"):
        train(ROWS, replace(QUICK, epochs=7), SMALL, trained[1])


def test_without_posts_there_is_nothing_to_train(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none of the labelled posts"):
        train([], QUICK, SMALL, tmp_path)


def test_weights_of_another_shape_are_refused(trained: tuple[Insight, Path]) -> None:
    with pytest.raises(WeightsError, match="another shape"):
        Insight(replace(SMALL, rank=3), NAMES).load_trained(trained[0].trained())


@pytest.mark.parametrize("post", ["", "\ud800 lone", "\U0001f436" * 900, "a" * 5_000])
def test_odd_posts_are_read(trained: tuple[Insight, Path], post: str) -> None:
    assert torch.isfinite(trained[0].logits([post])).all()


def test_a_batch_says_what_single_posts_say(trained: tuple[Insight, Path]) -> None:
    posts = [DOG[0], "x", f"{EXAM[0]} {EXAM[1]}"]
    together = trained[0].logits(posts)
    alone = torch.cat([trained[0].logits([post]) for post in posts])
    assert (together - alone).abs().max() < 0.3, "but for bfloat16's rounding"


def test_labels_are_found_by_a_posts_words_whatever_its_spaces(tmp_path: Path) -> None:
    file = tmp_path / "themes.tsv"
    spaced, unseen, none = digest("My  dog\ndied."), digest("Never seen."), digest("None.")
    file.write_text(f"{spaced}\tangry,pet_died*\n{unseen}\tangry\n{none}\t\n")
    assert labels(["None.", "My dog died."], file) == [
        Read("My dog died.", frozenset(("angry", "pet_died")), frozenset(("pet_died",))),
        Read("None.", frozenset(), frozenset()),
    ]


def test_a_label_that_is_no_theme_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "themes.tsv"
    file.write_text(f"{digest('a')}\tangry\n{digest('b')}\tangri\n")
    with pytest.raises(reader.LabelError, match=r"themes\.tsv:2: there is no theme angri"):
        labels([], file)


def test_one_post_in_eight_is_kept_apart_and_batches_hold_the_others_once() -> None:
    rows = [read(f"Post {n}.", "angry") for n in range(400)]
    assert 25 < sum(row.held_out for row in rows) < 80
    found = [row for batch in batches(rows, 16, seed=1) for row in batch]
    assert sorted(row.post for row in found) == sorted(row.post for row in rows)


@pytest.mark.parametrize(
    ("scores", "wanted", "precision"),
    [([3.0, 2.0, 1.0], [1.0, 0.0, 1.0], (1 + 2 / 3) / 2), ([1.0, 2.0], [1.0, 0.0], 0.5), ([1.0], [0.0], 0.0)],
)
def test_average_precision_is_the_mean_down_to_each_hit(
    scores: list[float], wanted: list[float], precision: float
) -> None:
    assert average_precision(torch.tensor(scores), torch.tensor(wanted)) == pytest.approx(precision)


def test_measures_of_no_posts_are_none(trained: tuple[Insight, Path]) -> None:
    assert measured(trained[0], []) == {}
    assert set(measured(trained[0], ROWS)) == {
        "has_precision",
        "heart_precision",
        "likeliest_is_heart",
        "likeliest_is_had",
    }


def test_the_project_has_labels_for_its_own_posts() -> None:
    from ml.partner import corpus

    found = labels(lesson.post for lesson in corpus.lessons())
    assert len(found) > 2_000
    assert sum(bool(row.heart) for row in found) > 0.9 * len(found)


# --- the judge ----------------------------------------------------------------------------------


GOOD, BAD, NEW = [text for theme in plain_themes() if theme.name == "pet_died" for _, text in theme.phrases][:3]


def judged(text: str, *verdicts: str, post: str = DOG[0]) -> str:
    return "".join(f"{digest(post)}\tpet_died\ter\t{text}\t{verdict}\n" for verdict in verdicts)


def test_a_sentence_that_often_passed_stands_before_one_that_seldom_did(tmp_path: Path) -> None:
    file = tmp_path / "sentences.tsv"
    file.write_text(judged(GOOD, "y", "y", "y") + judged(BAD, "nf", "ns", "y") + judged(NEW, "y", "ng"))
    found = binding.verdicts(DOG, file)
    assert [one.judged.shown for one in found] == [True, True, True, False, False, True, True, False]
    priors = binding.priors(found)
    assert priors[GOOD] > priors[NEW] > priors[BAD]


def test_verdicts_on_sentences_that_the_book_no_longer_has_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "sentences.tsv"
    file.write_text(judged("Never in the book.", "y") + judged(GOOD, "ns"))
    assert [one.judged.text for one in binding.verdicts(DOG, file)] == [GOOD]


def test_verdicts_on_posts_that_are_not_at_hand_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "sentences.tsv"
    file.write_text(judged(GOOD, "y", post="Somebody else's."))
    assert binding.verdicts(DOG, file) == []


def test_a_verdict_without_its_columns_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "sentences.tsv"
    file.write_text(judged(GOOD, "y") + "four\tcolumns\tare\tfew\n")
    with pytest.raises(reader.LabelError, match=r"sentences\.tsv:2"):
        binding.verdicts(DOG, file)


def test_posts_are_taken_from_every_cell_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text('id,post\n1,"a ""quoted"" post\nof two lines"\n')
    assert list(binding.texts([file])) == ["id", "post", "1", 'a "quoted" post\nof two lines']


def test_posts_that_are_kept_apart_are_never_trained_on(tmp_path: Path) -> None:
    held = [row for row in (read(f"Post {n}.", "angry") for n in range(64)) if row.held_out]
    assert held
    with pytest.raises(ValueError, match="none of the labelled posts"):
        train(held, QUICK, SMALL, tmp_path)


def test_a_file_that_is_no_csv_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bind", "--state", str(tmp_path), "--out", str(tmp_path / "out"), "--data", str(tmp_path / "none.csv")]
    assert main(command) == 1
    assert "none.csv" in capsys.readouterr().err


def test_a_kept_network_is_bound_to_the_book_as_it_is_now(tmp_path: Path) -> None:
    kept, out, data = tmp_path / "kept", tmp_path / "out", tmp_path / "posts.csv"
    binding.save(Insight(SMALL, NAMES), Reader({"one": 0.0}), {}, [], {}, kept)
    data.write_text("post\nA post that nobody has labelled.\n")
    command = ["bind", "--network", str(kept), "--state", str(tmp_path), "--out", str(out), "--data", str(data)]
    assert main(command) == 0
    before, after = (json.loads((place / "release.json").read_text()) for place in (kept, out))
    assert after["sha256"] == before["sha256"]
    assert after["book_sha256"] == phrases.digest()
    assert set(after["priors"]) == {text for theme in phrases.themes() for _, text in theme.phrases}
    assert len(after["judge"]) > 1


def test_a_network_that_knows_other_themes_is_refused_before_any_post_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, absent = tmp_path / "kept", tmp_path / "absent.csv"
    binding.save(Insight(SMALL, NAMES[:-1]), Reader({"one": 0.0}), {}, [], {}, kept)
    command = ["bind", "--network", str(kept), "--state", str(tmp_path), "--out", str(tmp_path), "--data", str(absent)]
    assert main(command) == 1
    assert "other themes" in capsys.readouterr().err
