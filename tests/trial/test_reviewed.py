"""A study's sheet of reviewed suggestions: what it approves is part of the protocol, and a bad sheet is refused."""

from __future__ import annotations

import csv
import hashlib
import shutil
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from trial.protocol import Protocol, ProtocolError, parse_protocol, read_protocol
from trial.reviewed import COLUMNS

HAILEY = Path(settings.BASE_DIR) / "protocols" / "hailey"
SHEET = "sheet.csv"
SORRY = "I'm so sorry your day went like this."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of HAILEY whose protocol names a sheet that a test writes."""
    copy = Path(shutil.copytree(HAILEY, tmp_path / "hailey"))
    protocol = yaml.safe_load((copy / "protocol.yaml").read_text())
    protocol["feedback"]["reviewed"] = SHEET
    (copy / "protocol.yaml").write_text(yaml.safe_dump(protocol))
    return copy


def post(folder: Path, code: str = "work-01") -> str:
    with (folder / "posts.csv").open(newline="") as file:
        return next(row["text"] for row in csv.DictReader(file) if row["code"] == code)


def write(folder: Path, *rows: list[str], columns: list[str] = COLUMNS) -> None:
    with (folder / SHEET).open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def row(folder: Path, **changes: str) -> list[str]:
    whole = {
        "code": "work-01",
        "post": post(folder),
        "mechanism": "er",
        "sentence": SORRY,
        "show": "yes",
        "note": "",
    }
    return list((whole | changes).values())


def refusal(folder: Path) -> tuple[str, str, str]:
    with pytest.raises(ProtocolError) as caught:
        read_protocol(folder)
    return Path(caught.value.file).name, caught.value.place, caught.value.reason


def test_what_the_sheet_approves_is_part_of_the_protocol(folder: Path) -> None:
    write(folder, row(folder), row(folder, sentence="I'm sad to read it.", show="no"))
    protocol = read_protocol(folder)
    (reviewed,) = protocol.feedback.reviewed
    assert [(said.mechanism, said.text) for said in reviewed.sentences] == [("er", SORRY)]
    assert reviewed.post == hashlib.sha256(post(folder).encode()).hexdigest()
    assert parse_protocol(protocol.model_dump(mode="json")) == protocol


def test_a_post_of_which_nothing_was_approved_stays_reviewed(folder: Path) -> None:
    write(folder, row(folder, show="no"))
    (reviewed,) = read_protocol(folder).feedback.reviewed
    assert reviewed.sentences == ()


def test_another_review_is_another_protocol(folder: Path) -> None:
    def digest(*rows: list[str]) -> str:
        write(folder, *rows)
        protocol: Protocol = read_protocol(folder)
        return protocol.sha256

    assert digest(row(folder)) == digest(row(folder), row(folder, sentence="Another one.", show="no"))
    assert digest(row(folder)) != digest(row(folder), row(folder, sentence="Another one."))


def test_a_sentence_approved_for_other_words_is_refused(folder: Path) -> None:
    write(folder, row(folder, post=f"{post(folder)} And more."))
    assert refusal(folder) == (SHEET, "line 2", "post work-01 was changed after its review: review it again")


@pytest.mark.parametrize("show", ["", "Yes", "maybe"])
def test_a_sentence_without_a_verdict_is_refused(folder: Path, show: str) -> None:
    write(folder, row(folder, show=show))
    assert refusal(folder) == (SHEET, "line 2", f"show must be yes or no, not {show!r}")


def test_a_post_that_the_study_does_not_have_is_refused(folder: Path) -> None:
    write(folder, row(folder, code="work-99"))
    assert refusal(folder) == (SHEET, "line 2", "there is no post work-99")


@pytest.mark.parametrize("cut", [1, 3])
def test_a_row_without_all_its_cells_is_refused(folder: Path, cut: int) -> None:
    write(folder, row(folder)[:-cut])
    assert refusal(folder) == (SHEET, "line 2", "must have 6 columns")


def test_other_columns_are_refused(folder: Path) -> None:
    write(folder, columns=["code", "sentence"])
    assert refusal(folder)[:2] == (SHEET, "line 1")


def test_blanks_around_a_post_are_no_change(folder: Path) -> None:
    write(folder, row(folder, post=f" {post(folder)}\n"))
    (reviewed,) = read_protocol(folder).feedback.reviewed
    assert reviewed.post == hashlib.sha256(post(folder).encode()).hexdigest()


def test_an_unknown_mechanism_is_refused(folder: Path) -> None:
    write(folder, row(folder, mechanism="advice"))
    assert "er" in refusal(folder)[2]


def test_a_sheet_that_is_not_there_is_refused(folder: Path) -> None:
    assert refusal(folder) == (SHEET, "", "no such file")
