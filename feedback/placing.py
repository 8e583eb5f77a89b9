"""Where a pending suggestion stands once others of the same answer were taken."""

from __future__ import annotations

from collections.abc import Sequence

from ml import text as sentences
from ml.types import Edit


def place(asked: str, taken: Sequence[Edit], edit: Edit, current: str, *, before: Sequence[Edit] = ()) -> str | None:
    """`current` with `edit`, made for `asked`, of which `taken` were applied; None when its place is gone.

    `before` are those of `taken` that stand before `edit` where both insert at the same place.
    Without this step a taken replacement would count as the writer's own new sentence, and an
    insert beside it would have lost its place.
    """
    text, moved = _rebased(asked, taken, edit, before)
    return sentences.apply_to_current(text, current, moved)


def _rebased(asked: str, taken: Sequence[Edit], edit: Edit, before: Sequence[Edit]) -> tuple[str, Edit]:
    """The asked text with what was taken, and the edit counted in its sentences."""
    try:
        text = sentences.apply(asked, taken)
    except ValueError:
        return asked, edit
    index = edit.index + sum(_shift(other, edit, other in before) for other in taken)
    found = sentences.sentences(text)
    fits = index <= len(found) if edit.op == "insert" else index < len(found) and found[index].text == edit.old
    if not fits:
        return asked, edit
    return text, Edit(edit.op, index, edit.old, edit.new, edit.before, edit.after)


def _shift(taken: Edit, edit: Edit, stands_before: bool) -> int:  # noqa: FBT001
    """By how many sentences an applied edit moves the place of another."""
    grown = len(sentences.sentences(taken.new))
    if taken.op == "replace":
        return grown - 1 if taken.index < edit.index else 0
    same_place = taken.index == edit.index and (edit.op == "replace" or stands_before)
    return grown if taken.index < edit.index or same_place else 0
