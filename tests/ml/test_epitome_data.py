"""Training and scoring files are read strictly, and split by seeker."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ml.epitome.data import (
    LABEL_COLUMNS,
    DataError,
    Example,
    folds,
    read_examples,
    read_pairs,
    screened,
    share,
)
from ml.types import Pair

ROW = {
    "sp_id": "s1",
    "seeker_post": "I failed my driving test again.",
    "response_post": "Oh no, I am sorry. What went wrong?",
    "er_level": "2",
    "er_rationales": "Oh no, I am sorry.|",
    "ip_level": "0",
    "ip_rationales": "",
    "ex_level": "1",
    "ex_rationales": "What went wrong?|",
}


def written(path: Path, rows: list[dict[str, str]], columns: tuple[str, ...] = LABEL_COLUMNS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def example(seeker: str, response: str = "Hello") -> Example:
    return Example(seeker, Pair("A post", response), (0, 0, 0), ((), (), ()))


def test_a_labelled_row_is_read_with_its_rationales(tmp_path: Path) -> None:
    (one,) = read_examples(written(tmp_path / "a.csv", [ROW]))
    assert one.levels == (2, 0, 1)
    assert [one.pair.response[a:b] for a, b in one.spans(0)] == ["Oh no, I am sorry."]
    assert one.spans(1) == []


def test_exact_repeats_are_dropped_after_the_first(tmp_path: Path) -> None:
    rows = [ROW, ROW | {"er_level": "0"}, ROW | {"response_post": "Another answer"}]
    found = read_examples(written(tmp_path / "a.csv", rows))
    assert [one.levels[0] for one in found] == [2, 2]
    assert len(found) == 2


def test_a_rationale_that_is_not_in_the_reply_is_left_out(tmp_path: Path) -> None:
    (one,) = read_examples(written(tmp_path / "a.csv", [ROW | {"er_rationales": "not there"}]))
    assert one.spans(0) == []


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", [ROW], ("sp_id", "seeker_post"))
    with pytest.raises(DataError, match="lacks the columns response_post, er_level"):
        read_examples(path)


@pytest.mark.parametrize("level", ["3", "-1", "", "1.0", "weak"])
def test_a_wrong_level_is_an_error_with_its_line(tmp_path: Path, level: str) -> None:
    path = written(tmp_path / "a.csv", [ROW, ROW | {"ip_level": level}])
    with pytest.raises(DataError, match="line 3: ip_level is"):
        read_examples(path)


@pytest.mark.parametrize(
    "row",
    ["Café,Olé".encode("latin-1"), b"A,\xf0\x9f", "A,\ud83d".encode("utf-8", "surrogatepass"), "A,B".encode("utf-16")],
    ids=["latin-1", "cut off", "surrogate", "utf-16"],
)
def test_another_encoding_is_an_error(tmp_path: Path, row: bytes) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(b"seeker_post,response_post\n" + row + b"\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_pairs(path)


def test_a_labelled_file_in_another_encoding_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", [ROW])
    path.write_bytes(path.read_bytes() + b"\xff\xfe")
    with pytest.raises(DataError, match="not UTF-8"):
        read_examples(path)


def test_wrong_columns_are_named_beside_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("post,reply\nA,B\n")
    with pytest.raises(DataError, match="lacks the columns seeker_post, response_post; it has post, reply"):
        read_pairs(path)


@pytest.mark.parametrize("reply", ["", "💛💛", "word " * 20_000, "Lo siento mucho", "x" * 100_000])
def test_any_reply_in_utf8_is_read_as_it_stands(tmp_path: Path, reply: str) -> None:
    (one,) = read_examples(written(tmp_path / "a.csv", [ROW | {"response_post": reply}]))
    assert one.pair.response == reply


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "lacks the columns"),
        ("seeker_post,response_post\nonly one field\n", "line 2: not as many fields"),
        ("seeker_post,response_post\na,b,c\n", "line 2: not as many fields"),
        ('seeker_post,response_post\na,"b\n', "not a CSV file"),
        ("seeker_post,response_post\n ,b\n", "line 2: seeker_post is empty"),
    ],
)
def test_a_malformed_file_is_an_error_that_says_why(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=reason):
        read_pairs(path)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_pairs(tmp_path / "absent.csv")


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("\ufeffseeker_post,response_post\nA,B\n".encode())
    assert read_pairs(path) == [Pair("A", "B")]


def test_folds_part_the_seekers_and_repeat_by_seed() -> None:
    examples = [example(f"s{i % 23}", f"reply {i}") for i in range(60)]
    found = folds(examples, count=5, seed=3)
    assert sorted(seeker for fold in found for seeker in fold) == sorted({one.seeker_id for one in examples})
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert found == folds(list(reversed(examples)), count=5, seed=3)
    assert found != folds(examples, count=5, seed=4)


def test_more_folds_than_seekers_are_refused() -> None:
    with pytest.raises(DataError, match="cannot make 3 folds of 1 seekers"):
        folds([example("s1")], count=3, seed=1)


def test_shares_are_disjoint_complete_and_keep_a_seeker_together() -> None:
    examples = [example(f"s{i % 100}", f"reply {i}") for i in range(300)]
    lower, upper = share(examples, 0, 0.6), share(examples, 0.6, 1)
    assert len(lower) + len(upper) == 300
    assert not {one.seeker_id for one in lower} & {one.seeker_id for one in upper}
    assert lower
    assert upper


def test_the_screen_catches_a_post_or_a_response_and_passes_the_rest() -> None:
    plain = example("s1")
    in_post = Example("s2", Pair("I want to kill myself.", "Hello"), (0, 0, 0), ((), (), ()))
    in_response = example("s3", "I tried to kill myself once too.")
    passing, caught = screened([in_post, plain, in_response])
    assert passing == [plain]
    assert caught == [in_post, in_response]


def test_the_screen_of_nothing_passes_and_catches_nothing() -> None:
    assert screened([]) == ([], [])
