"""Whether a rewriter's answer makes sense for the text it was asked about, before anything is stored."""

from __future__ import annotations

import math

from ml import text as sentences
from ml.types import Edit, Proposal

MAX_LENGTH = 400
OUTCOMES = frozenset({"suggestions", "nothing_needed", "no_suggestion", "screened"})


class NonsenseError(Exception):
    """An answer that cannot be shown; `code` says what is wrong with it."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def check(proposal: Proposal, reply: str, *, limit: int) -> None:
    """Raises NonsenseError for an answer that does not fit the reply."""
    if proposal.outcome not in OUTCOMES:
        raise NonsenseError("outcome")
    if (proposal.outcome == "suggestions") != bool(proposal.edits):
        raise NonsenseError("edits_without_outcome" if proposal.edits else "no_edits")
    if len(proposal.edits) > limit:
        raise NonsenseError("too_many")
    texts = [sentence.text for sentence in sentences.sentences(reply)]
    for edit in proposal.edits:
        _check_edit(edit, texts)
    replaced = [edit.index for edit in proposal.edits if edit.op == "replace"]
    if len(set(replaced)) != len(replaced):
        raise NonsenseError("same_place")


def _check_edit(edit: Edit, texts: list[str]) -> None:
    faults = {
        "operation": edit.op not in ("insert", "replace"),
        "index": not _in_range(edit, texts),
        "empty": not edit.new.strip(),
        "too_long": len(edit.new) > MAX_LENGTH,
        "characters": not _storable(edit.new),
        "unchanged": edit.op == "replace" and edit.new == edit.old,
        "score": not (math.isfinite(edit.before) and math.isfinite(edit.after)),
    }
    fault = next((code for code, found in faults.items() if found), None)
    if fault is None and edit.op == "replace" and texts[edit.index] != edit.old:
        fault = "old"
    if fault:
        raise NonsenseError(fault)


def _in_range(edit: Edit, texts: list[str]) -> bool:
    return 0 <= edit.index < len(texts) + (edit.op == "insert")


def _storable(text: str) -> bool:
    """No NUL and no lone surrogate: no database takes them."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
