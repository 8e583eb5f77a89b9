"""Sentences drawn ahead are drawn once, kept on disk, and never trusted blindly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ml.partner.ahead import Ahead, Candidate

POST = "My sister moved away and the house is quiet."
FOUND = [
    Candidate("er", "I am so sorry that your sister moved away.", 0.4),
    Candidate("ex", "How is the quiet house for you?", 0.9),
]
KEY = "a" * 64


class Drawer:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, post: str) -> list[Candidate]:
        self.asked.append(post)
        return list(FOUND)


def test_the_likeliest_to_be_shown_comes_first(tmp_path: Path) -> None:
    assert [one.chance for one in Ahead(Drawer(), KEY, root=tmp_path)(POST)] == [0.9, 0.4]


def test_a_post_is_drawn_for_once_by_all_workers(tmp_path: Path) -> None:
    first, second = Drawer(), Drawer()
    found = Ahead(first, KEY, root=tmp_path)(POST)
    assert Ahead(second, KEY, root=tmp_path)(POST) == found
    assert first.asked == [POST]
    assert second.asked == []


def test_another_release_draws_again(tmp_path: Path) -> None:
    Ahead(Drawer(), KEY, root=tmp_path)(POST)
    other = Drawer()
    Ahead(other, "b" * 64, root=tmp_path)(POST)
    assert other.asked == [POST]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[1]",
        '[{"mechanism": "er"}]',
        json.dumps([{"mechanism": "??", "text": "a", "chance": 0.5}]),
    ],
)
def test_a_spoilt_file_is_drawn_again_and_replaced(tmp_path: Path, content: str) -> None:
    Ahead(Drawer(), KEY, root=tmp_path)(POST)
    (file,) = (tmp_path / "ahead").rglob("*.json")
    file.write_text(content)
    again = Drawer()
    found = Ahead(again, KEY, root=tmp_path)(POST)
    assert again.asked == [POST]
    assert len(found) == len(json.loads(file.read_text())) == 2


def test_a_disk_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "ahead").write_text("a file where the folder should be")
    assert len(Ahead(Drawer(), KEY, root=tmp_path)(POST)) == 2


def test_no_half_written_file_is_left(tmp_path: Path) -> None:
    Ahead(Drawer(), KEY, root=tmp_path)(POST)
    assert [file.suffix for file in (tmp_path / "ahead").rglob("*") if file.is_file()] == [".json"]
