"""Under a post whose suggestions people approved, these alone are offered; other posts are as ever."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ml.partner import review
from ml.partner.__main__ import main
from ml.partner.phrases import Move
from ml.partner.reviewed import digest
from ml.partner.rewriter import Partner, build
from ml.releases import WeightsError
from ml.types import MECHANISMS, Proposal, Reviewed
from tests.ml.lexicon import LexiconScorer

POST = "My boss presented my work as his own today. I clapped along with everyone."
OTHER = "My girlfriend and I broke up on Sunday. I keep crying in the car."
COLD = "That's life. You should talk to him."
APPROVED = {
    "er": "I'm so sorry he stood there with your work.",
    "ip": "It must have hurt to clap along.",
    "ex": "What was it like to sit there while he presented it?",
}


def reviewed(post: str = POST, **texts: str) -> tuple[Reviewed, ...]:
    return (Reviewed(digest(post), tuple((texts or APPROVED).items())),)


def rewriter(found: tuple[Reviewed, ...]) -> Partner:
    built = build("phrasebook", scorer=LexiconScorer(), gate=4.0, min_gain=0.15, reviewed=found)
    assert isinstance(built, Partner)
    return built


def propose(found: tuple[Reviewed, ...], post: str = POST, **more: object) -> Proposal:
    return rewriter(found).propose(post, COLD, seed=1, **more)  # type: ignore[arg-type]


def test_a_reviewed_post_gets_approved_sentences_only() -> None:
    for seed in range(6):
        proposal = rewriter(reviewed()).propose(POST, COLD, seed=seed)
        assert proposal.outcome == "suggestions"
        assert {edit.new for edit in proposal.edits} <= set(APPROVED.values())


def test_another_post_is_answered_as_without_a_review() -> None:
    assert propose(reviewed(), OTHER).edits == propose((), OTHER).edits != ()


def test_a_post_changed_by_a_word_is_not_the_reviewed_one() -> None:
    offered = {edit.new for edit in propose(reviewed(), f"{POST} Again.").edits}
    assert not offered & set(APPROVED.values())


def test_when_every_approved_sentence_was_shown_nothing_else_is_said() -> None:
    proposal = propose(reviewed(), exclude=list(APPROVED.values()))
    assert proposal.outcome == "no_suggestion"
    assert {no.reason for no in proposal.refused} == {"shown_before"}


def test_under_a_post_of_which_nothing_was_approved_nothing_is_said() -> None:
    assert propose((Reviewed(digest(POST), ()),)).outcome == "no_suggestion"


def test_what_is_unsafe_is_refused_whoever_approved_it() -> None:
    proposal = propose(reviewed(er="You should leave him, I promise it will be fine."))
    assert proposal.outcome == "no_suggestion"
    assert [no.text for no in proposal.refused] == ["You should leave him, I promise it will be fine."]


def test_a_long_post_is_known_by_all_of_its_words() -> None:
    long = f"{POST} {'And it went on and on. ' * 80}"
    assert {edit.new for edit in propose(reviewed(long), long).edits} <= set(APPROVED.values())


def test_the_release_tells_what_was_approved() -> None:
    plain, first, second = (rewriter(found).release for found in ((), reviewed(), reviewed(OTHER)))
    assert "reviewed" not in plain.version
    assert plain.version == first.version.partition("+")[0]
    assert len({plain.version, first.version, second.version}) == 3
    assert rewriter((Reviewed(digest(POST), tuple(reversed(APPROVED.items()))),)).release == first


def test_preparing_a_reviewed_post_or_another_raises_nothing() -> None:
    for post in (POST, OTHER):
        rewriter(reviewed()).prepare(post)


def sheet(tmp_path: Path, *posts: str) -> list[dict[str, str]]:
    given, out = tmp_path / "posts.csv", tmp_path / "sheet.csv"
    with given.open("w", newline="") as file:
        csv.writer(file).writerows(
            [("code", "topic", "risk", "text"), *((f"p{i}", "", "", p) for i, p in enumerate(posts))]
        )
    command = ["review", "--posts", str(given), "--rewriter", "phrasebook", "--each", "3", "--out", str(out)]
    assert main(command) == 0
    assert main(command) == 1, "verdicts are never written over"
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_sheet_holds_the_likeliest_sentences_of_each_post_to_be_judged(tmp_path: Path) -> None:
    rows = sheet(tmp_path, OTHER, "I can't go on and I want to die.")
    assert {row["code"] for row in rows} == {"p0"}, "what the crisis screen catches is not answered"
    assert {row["post"] for row in rows} == {OTHER}
    assert {row["show"] for row in rows} == {""}
    assert all(0 < sum(row["mechanism"] == m for row in rows) <= 3 for m in MECHANISMS)


def test_a_file_without_posts_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "posts.csv").write_text("code,words\n")
    command = ["review", "--posts", str(tmp_path / "posts.csv"), "--out", str(tmp_path / "sheet.csv")]
    assert main(command) == 1
    assert "no column text" in capsys.readouterr().err


def test_a_release_that_cannot_be_read_is_told_at_the_first_post_that_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "phrasebook").mkdir()
    (tmp_path / "phrasebook" / "release.json").write_text('{"name": "phrasebook", "version": "1", "sha256": "0"}')
    monkeypatch.setenv("ATTUNE_WEIGHTS", str(tmp_path))
    assert rewriter(reviewed()).propose(POST, COLD, seed=1).outcome == "suggestions"  # which needs no source
    with pytest.raises(WeightsError):
        rewriter(reviewed()).propose(OTHER, COLD, seed=1)


def test_a_drawing_that_breaks_off_leaves_no_sheet_that_looks_whole(tmp_path: Path) -> None:
    class Broken:
        release = build("none", scorer=LexiconScorer(), gate=4.0, min_gain=0.15).release

        def candidates(self, post: str, *, seed: int) -> list[Move]:
            raise KeyboardInterrupt

        def moves(self, post: str, reply: str, *, seed: int) -> list[Move]:
            return self.candidates(post, seed=seed)

        def prepare(self, post: str) -> None: ...

    with pytest.raises(KeyboardInterrupt):
        review.write([("p0", OTHER)], [Broken()], tmp_path / "sheet.csv", each=3, seed=1)
    assert not (tmp_path / "sheet.csv").exists()
