"""The project's own corpus of posts, drafts and suggestions: reads it, and refuses what may not be trained on.

`python -m ml.partner.corpus [FILE.jsonl ...]` names every line that breaks a rule. Each file holds one
JSON object a line: `topic`, `voice`, `post`, `drafts` (two), and `er`, `ip`, `ex` (two sentences each).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml.safety import candidates, crisis
from ml.types import MECHANISMS

FOLDER = Path(__file__).parent
KEYS = {"topic", "voice", "post", "drafts", *MECHANISMS}
POST_WORDS = (8, 170)
DRAFT_WORDS = (2, 60)
SUGGESTION_WORDS = (4, 26)
OPENING_WORDS = 4
MOST_ALIKE = 0.04  # share of a file's suggestions that may open with the same four words


class CorpusError(ValueError):
    """The corpus breaks its own rules; the message lists where and how."""


@dataclass(frozen=True)
class Lesson:
    """One post with two drafts, and for each mechanism the sentences worth offering."""

    topic: str
    voice: str
    post: str
    drafts: tuple[str, ...]
    er: tuple[str, ...]
    ip: tuple[str, ...]
    ex: tuple[str, ...]

    def suggestions(self) -> Iterator[tuple[str, str]]:
        """(mechanism, sentence), in the order of `MECHANISMS`."""
        for mechanism in MECHANISMS:
            yield from ((mechanism, text) for text in getattr(self, mechanism))


def files(wanted: str = "*") -> list[Path]:
    """Stories are in `0*`, plain lessons, which keep to the words of their posts, in `1*` and `2*`."""
    return sorted(FOLDER.glob(f"{wanted}.jsonl"))


def lessons(paths: Iterable[Path] | None = None) -> list[Lesson]:
    """Every lesson of the corpus. Raises CorpusError where one breaks a rule."""
    found, wrong = read(list(paths) if paths is not None else files())
    if wrong:
        raise CorpusError("\n".join(wrong[:20]))
    return found


def read(paths: Sequence[Path]) -> tuple[list[Lesson], list[str]]:
    """The readable lessons of the files, and what is wrong with them, with file and line."""
    found: list[Lesson] = []
    wrong: list[str] = []
    for path in paths:
        mine = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                lesson = _lesson(json.loads(line))
            except (ValueError, TypeError) as error:
                wrong.append(f"{path.name}:{number}: {error}")
                continue
            wrong += [f"{path.name}:{number}: {text}" for text in problems(lesson)]
            mine.append(lesson)
        wrong += [f"{path.name}: {text}" for text in repeats(mine)]
        found += mine
    return found, wrong + _twice(found)


def _lesson(row: dict[str, object]) -> Lesson:
    if set(row) != KEYS:
        raise ValueError(f"the keys must be {', '.join(sorted(KEYS))}")
    lists = {key: row[key] for key in ("drafts", *MECHANISMS)}
    for key, value in lists.items():
        if not isinstance(value, list) or len(value) < 2 or not all(isinstance(v, str) for v in value):
            raise ValueError(f"{key} must hold at least two sentences")
    return Lesson(
        str(row["topic"]),
        str(row["voice"]),
        str(row["post"]),
        **{k: tuple(v) for k, v in lists.items()},  # type: ignore[arg-type]
    )


def problems(lesson: Lesson) -> Iterator[str]:
    """Every rule that this lesson breaks, in words."""
    yield from _length("post", lesson.post, POST_WORDS)
    for text in lesson.drafts:
        yield from _length("draft", text, DRAFT_WORDS)
    for text in (lesson.post, *lesson.drafts):
        if crisis.screen(text):
            yield f"the crisis screen catches: {text[:60]}"
    for mechanism, text in lesson.suggestions():
        yield from _length(mechanism, text, SUGGESTION_WORDS)
        if refused := candidates.check(text):
            yield f"{mechanism} refused as {refused.reason}: {text}"
        if (mechanism == "ex") != text.endswith("?"):
            yield f"{mechanism} and its question mark: {text}"


def _length(name: str, text: str, bounds: tuple[int, int]) -> Iterator[str]:
    words = len(text.split())
    if not bounds[0] <= words <= bounds[1]:
        yield f"{name} of {words} words, not {bounds[0]} to {bounds[1]}: {text[:60]}"


def repeats(found: Sequence[Lesson]) -> Iterator[str]:
    """Openings that too many suggestions of a file share."""
    openings = Counter(_opening(text) for lesson in found for _, text in lesson.suggestions())
    most = max(3, round(MOST_ALIKE * sum(openings.values())))
    for opening, count in openings.most_common():
        if count <= most:
            break
        yield f"{count} suggestions open with “{opening}”, more than {most}"


def _opening(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower())[:OPENING_WORDS])


def _twice(found: Sequence[Lesson]) -> list[str]:
    texts = Counter(text for lesson in found for text in (lesson.post, *(t for _, t in lesson.suggestions())))
    return [f"stands {count} times: {text[:80]}" for text, count in texts.items() if count > 1]
