"""Reads a study's sheet of reviewed suggestions: what people approved for each post before the study opened.

`python -m ml.partner review` writes the sheet; people fill in `show`. Rows that say no stay in it as the record.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from trial.questions import Strict, Text
from trial.study_files import ProtocolError, read_text

COLUMNS = ["code", "post", "mechanism", "sentence", "show", "note"]
SHOW = ("yes", "no")


class ReviewedSentence(Strict):
    mechanism: Literal["er", "ip", "ex"]
    text: Text


class ReviewedPost(Strict):
    """What was approved for one post, perhaps nothing; `post` is the SHA-256 of its text."""

    post: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    sentences: tuple[ReviewedSentence, ...]


def embed_reviewed(folder: Path, feedback: Any, posts: Mapping[str, str]) -> None:
    """Replace the sheet's name in a protocol's `feedback` by what the sheet approves."""
    if isinstance(feedback, dict) and isinstance(feedback.get("reviewed"), str):
        feedback["reviewed"] = read_reviewed(folder / feedback["reviewed"], posts)


def read_reviewed(file: Path, posts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every post of the sheet with its approved sentences; `posts` are the study's texts by code.

    Raises:
        ProtocolError: a column is missing, a verdict is neither yes nor no, a post is unknown or was changed since.
    """
    rows = csv.DictReader(io.StringIO(read_text(file), newline=""), strict=True)
    found: dict[str, list[dict[str, str]]] = {}
    try:
        if rows.fieldnames != COLUMNS:
            raise ProtocolError(file, "line 1", f"columns must be {', '.join(COLUMNS)}")
        for row in rows:
            _check(row, file, f"line {rows.line_num}", posts)
            approved = found.setdefault(posts[row["code"]], [])
            if row["show"] == "yes":
                approved.append({"mechanism": row["mechanism"], "text": row["sentence"]})
    except csv.Error as error:
        raise ProtocolError(file, f"line {rows.line_num + 1}", str(error)) from error
    return [{"post": hashlib.sha256(post.encode()).hexdigest(), "sentences": said} for post, said in found.items()]


def _check(row: dict[str, Any], file: Path, line: str, posts: Mapping[str, str]) -> None:
    if None in row or None in row.values():
        raise ProtocolError(file, line, f"must have {len(COLUMNS)} columns")
    if row["code"] not in posts:
        raise ProtocolError(file, line, f"there is no post {row['code']}")
    if row["post"].strip() != posts[row["code"]].strip():
        raise ProtocolError(file, line, f"post {row['code']} was changed after its review: review it again")
    if row["show"] not in SHOW:
        raise ProtocolError(file, line, f"show must be yes or no, not {row['show']!r}")
