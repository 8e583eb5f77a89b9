"""Sentences drawn for a post before anybody waits for them, and kept on disk.

What to say depends on the post far more than on the draft, and a study's posts are known before its participants are.
So many sentences are drawn for a post at leisure, and judged; a tap only chooses among them and places them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ml.backbones import cached
from ml.types import MECHANISMS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A sentence, and the chance that a strict reader would show it to a participant."""

    mechanism: str
    text: str
    chance: float


class Ahead:
    """The candidates of each post, the best first; drawn by `draw` where they are not on disk yet.

    `key` names how they are drawn, so that what another release drew is not taken for this one's.
    """

    def __init__(self, draw: Callable[[str], list[Candidate]], key: str, *, root: Path | None = None) -> None:
        self.draw = draw
        self.folder = (root or cached()) / "ahead" / key[:16]
        self.known: dict[str, list[Candidate]] = {}

    def __call__(self, post: str) -> list[Candidate]:
        if post not in self.known:
            self.known[post] = self._read(post) or self._drawn(post)
        return self.known[post]

    def _drawn(self, post: str) -> list[Candidate]:
        found = sorted(self.draw(post), key=lambda one: -one.chance)
        try:
            self._write(post, found)
        except OSError as error:  # a full or read-only disk costs time, and nothing else
            log.warning("sentences for a post are not kept: %s", error)
        return found

    def _path(self, post: str) -> Path:
        return self.folder / f"{hashlib.sha256(post.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.json"

    def _read(self, post: str) -> list[Candidate]:
        """What is on disk; nothing where the file is absent or is not what this class writes."""
        try:
            found = [Candidate(**row) for row in json.loads(self._path(post).read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError):
            return []
        return found if all(_sound(one) for one in found) else []

    def _write(self, post: str, found: list[Candidate]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump([asdict(one) for one in found], file)
            Path(name).replace(self._path(post))
        finally:
            Path(name).unlink(missing_ok=True)  # there only where the disk was full


def _sound(one: Candidate) -> bool:
    return one.mechanism in MECHANISMS and isinstance(one.text, str) and isinstance(one.chance, float)
