"""How much of a suggestion stands in a text: what tells used, re-worded and dropped ones apart."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

WORD = re.compile(r"\w+(?:['’]\w+)*")


def words(text: str) -> list[str]:
    return WORD.findall(text.lower().replace("’", "'"))


def kept_share(suggested: str, text: str) -> float:
    """Share of the suggested words that stand in the text in the same order (0-1).

    A suggestion without any word counts as kept when it stands in the text as it is.
    """
    wanted = words(suggested)
    if not wanted:
        return float(suggested.strip() in text)
    matcher = SequenceMatcher(None, wanted, words(text), autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) / len(wanted)
