"""The data dictionary in the docs is the one the code makes."""

from __future__ import annotations

from pathlib import Path

from trial.management.commands.data_dictionary import dictionary

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data-dictionary.md"


def test_the_committed_dictionary_is_current() -> None:
    assert PAGE.read_text() == dictionary(), "run: manage.py data_dictionary > docs/data-dictionary.md"


def test_only_one_table_knows_the_arm() -> None:
    tables = [part for part in dictionary().split("\n## ")[1:] if "\n| arm |" in part]
    assert [table.split("\n")[0] for table in tables] == ["trial.Allocation"]
