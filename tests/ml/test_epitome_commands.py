"""The scorer's commands say why they cannot run, and report numbers, never texts."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ml.epitome.__main__ import main
from ml.epitome.data import LABEL_COLUMNS
from tests.ml.tiny import release

PLAIN = ("post a", "i am so sorry .")
GRAVE = ("post b", "i tried to kill myself once")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    release(tmp_path)
    monkeypatch.setenv("ATTUNE_WEIGHTS", str(tmp_path))
    return tmp_path


def labelled(path: Path, pairs: list[tuple[str, str]]) -> str:
    rows = [[f"s{i}", *pair, "1", "", "0", "", "2", ""] for i, pair in enumerate(pairs)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([LABEL_COLUMNS, *rows])
    return str(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"seeker_post,response_post\nA,\xff\n", "not UTF-8"),
        (b"post,reply\nA,B\n", "lacks the columns seeker_post, response_post"),
        (b"", "lacks the columns"),
        (None, "No such file"),
    ],
    ids=["invalid UTF-8", "wrong columns", "empty", "absent"],
)
def test_a_file_that_cannot_be_read_fails_with_the_reason_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, reason: str
) -> None:
    data, out = tmp_path / "in.csv", tmp_path / "out.csv"
    if content is not None:
        data.write_bytes(content)
    assert main(["score", "--data", str(data), "--out", str(out)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert reason in told
    assert not out.exists()


@pytest.mark.parametrize("command", [["evaluate"], ["score", "--out", "out.csv"], ["robustness"], ["compare"]])
def test_an_unknown_release_fails_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = labelled(tmp_path / "in.csv", [PLAIN, GRAVE])
    assert main([*command, "--data", data, "--release", "nobody"]) == 2
    assert "there is no release epitome-nobody" in capsys.readouterr().err


def test_training_without_a_recipe_fails_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--data", "absent.csv", "--release", "nobody"]) == 2
    assert "there is no recipe 'nobody': outcome, reward" in capsys.readouterr().err


def test_evaluate_reports_screened_pairs_apart(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = labelled(installed / "in.csv", [PLAIN, GRAVE, ("post c", "hope it helps .")]), installed / "out.json"
    assert main(["evaluate", "--data", data, "--release", "tiny", "--screen", "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert (found["passing"]["n"], found["caught"]["n"]) == (2, 1)
    told = capsys.readouterr().out
    assert "passing: 2 pairs" in told
    assert "caught: 1 pairs" in told
    assert not any(text in told for text in (PLAIN[1], GRAVE[1]))


def test_a_part_without_pairs_is_reported_as_none(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = labelled(installed / "in.csv", [PLAIN]), installed / "out.json"
    assert main(["evaluate", "--data", data, "--release", "tiny", "--screen", "--json", str(out)]) == 0
    assert json.loads(out.read_text())["caught"] == {"n": 0}
    assert "caught: 0 pairs" in capsys.readouterr().out


def test_robustness_prints_a_table_and_writes_its_figures(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = [(f"post {i}", f"i am so sorry . hope it helps number {i}") for i in range(14)]
    data, out = labelled(installed / "in.csv", pairs), installed / "out.json"
    assert main(["robustness", "--data", data, "--release", "tiny", "--limit", "12", "--json", str(out)]) == 0
    told = capsys.readouterr().out
    assert "| upper case | 12 of 12 | " in told
    assert "| names: women − men | 12 | " in told
    assert "so sorry" not in told
    assert json.loads(out.read_text())["pairs"] == 12


def test_robustness_needs_two_replies_that_say_something(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = labelled(installed / "in.csv", [PLAIN, ("post b", "💛"), ("post c", "")])
    assert main(["robustness", "--data", data, "--release", "tiny"]) == 2
    assert "fewer than two pairs" in capsys.readouterr().err
