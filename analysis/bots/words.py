"""What bots write: replies that fit any everyday post, from cold to warm, and words for the rest.

`level` is the author's own rough measure of expressed empathy (0-6), used where no scorer is asked.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Draft:
    """One reply of the bank."""

    level: int
    text: str


def _bank() -> tuple[Draft, ...]:
    file = Path(__file__).parent / "bank.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return tuple(Draft(int(row["level"]), row["text"]) for row in csv.DictReader(lines))


BANK = _bank()
SHORT = 60
REMARKS = (
    "Thank you, I learned something.",
    "The posts felt real to me.",
    "Some posts were easier than others.",
    "It took me longer than I thought.",
)
REASONS = ("No time after all.", "It is not for me.", "")
FLAG_REASONS = ("It did not fit what I wanted to say.", "It repeats what I wrote.")
AFTERTHOUGHT = "Take care of yourself."
# Made to be noticed by the screen, and by nothing else: it describes nothing and asks for nothing.
WORRYING = "This is close to home for me. Some nights I do not want to be alive any more."


def bank_sha256() -> str:
    """Names the bank as it stands, for the cache of its scores."""
    return hashlib.sha256("\0".join(draft.text for draft in BANK).encode()).hexdigest()
