"""Sentences of a reply, and edits on them that leave every other character as the writer typed it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from ml.types import Edit

ALIGN_AT_MOST = 400


@dataclass(frozen=True)
class Sentence:
    """`reply[start:stop]`, without the white space around it."""

    start: int
    stop: int
    text: str


EMOJI = "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d\u20e3\U000e0020-\U000e007f]"
FACE = rf"(?:{EMOJI}|[:;=]['\-]?[()DPp/|\]\[]|<3+|\^_+\^|x{{2,5}}\b)"
MARKS = r"[.!?\u2026\u203d\u3002\uff01\uff1f\u061f\u06d4\u0964]"
CLOSERS = r"[\"'\u201d\u2019\u00bb)\]*_]*"
# Possessive, and begun only where a run begins: a long run of marks or emoji is read once.
END = re.compile(
    rf"(?<!{MARKS}){MARKS}++{CLOSERS}+(?:[ \t]*+{FACE}){{0,12}}+(?=\s|$)"  # marks, then what belongs to them
    rf"|[\u3002\uff01\uff1f]+"  # scripts that write no space after a full stop
    rf"|(?<=[a-z])[.!?]++(?=[A-Z][a-z']{{0,30}}[ ,])"  # a forgotten space: "tired.You should"
    rf"|(?<!{EMOJI}){FACE}(?:[ \t]*+{FACE}){{0,12}}+(?=[ \t]+[A-Z\"\u201c])"  # a face that ends a sentence
)
LINE = re.compile(r"[^\r\n\u2028\u2029]+")
BULLET = re.compile(r"\s*(?:[-*\u2022\u2013\u2014\u00b7>]|\(?\d{1,2}[.)]|\(?[a-zA-Z]\))[ \t]+")
_ABBREVIATIONS = """
mr mrs ms dr prof st jr sr vs etc e.g i.e eg ie cf approx dept fig no nos a.m p.m am pm u.s u.k ph.d b.a
m.a mt rev hon gov gen sgt capt inc ltd co corp jan feb mar apr jun jul aug sept sep oct nov dec
"""
_MAY_END = "etc am pm a.m p.m inc ltd co jr sr no u.s u.k ph.d mar sept sep dec jan"
ABBREVIATIONS = frozenset(_ABBREVIATIONS.split())
# These may well end a sentence, so only a small letter or a digit after them keeps it open.
MAY_END = frozenset(_MAY_END.split())
LAST_WORD = re.compile(r"([^\W_](?:[\w.']*[^\W_])?)$")


def sentences(reply: str) -> list[Sentence]:
    """The sentences of `reply` in order; together they hold every visible character of it."""
    return [_sentence(reply, start, stop) for start, stop in _merged(reply)]


def _sentence(reply: str, start: int, stop: int) -> Sentence:
    return Sentence(start, stop, reply[start:stop])


def _merged(reply: str) -> Iterator[tuple[int, int]]:
    """Spans, with a line that only wraps joined to the line before."""
    held: tuple[int, int] | None = None
    for start, stop in _spans(reply):
        if held and _wraps(reply, held, start):
            held = (held[0], stop)
            continue
        if held:
            yield held
        held = (start, stop)
    if held:
        yield held


def _wraps(reply: str, held: tuple[int, int], start: int) -> bool:
    gap = reply[held[1] : start]
    single = gap.replace("\r\n", "\n").count("\n") == 1
    return single and reply[held[1] - 1].isalpha() and reply[start].islower() and not BULLET.match(reply, start)


def _spans(reply: str) -> Iterator[tuple[int, int]]:
    for line in LINE.finditer(reply):
        begin = line.start()
        bullet = BULLET.match(reply, begin, line.end())
        for end in END.finditer(reply, bullet.end() if bullet else begin, line.end()):
            if _closes(reply, begin, end, line.end()):
                yield from _trimmed(reply, begin, end.end())
                begin = end.end()
        yield from _trimmed(reply, begin, line.end())


def _trimmed(reply: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    while start < stop and reply[start].isspace():
        start += 1
    while stop > start and reply[stop - 1].isspace():
        stop -= 1
    if start < stop:
        yield start, stop


def _closes(reply: str, begin: int, end: re.Match[str], line_end: int) -> bool:
    """Whether the marks at `end` close the sentence that begins at `begin`."""
    after = reply[end.end() : line_end].lstrip()
    if not after or not any(c.isalnum() for c in reply[max(begin, end.start() - 200) : end.start()]):
        return not after or begin < end.start()
    marks = end[0].rstrip()
    small = after[0].islower()
    if marks.startswith(("..", "\u2026")):
        return not small
    if small and marks[-1] in "\"'\u201d\u2019)]":
        return False
    return marks != "." or not _abbreviates(reply[max(begin, end.start() - 20) : end.start()], after)


def _abbreviates(before: str, after: str) -> bool:
    match = LAST_WORD.search(before)
    word = match[1].lower() if match else ""
    if word in ABBREVIATIONS:
        return word not in MAY_END or not (after[0].isupper() or after[0] in "\"'\u201c")
    return len(word) == 1 and word.isalpha() and word != "i" and after[0].isupper()


# --- applying edits ---------------------------------------------------------------------------


def apply(reply: str, edits: Sequence[Edit]) -> str:
    """`reply` with `edits`, whose indices count its sentences.

    Raises ValueError for an edit that does not fit this reply or for two replacements of one sentence.
    """
    spans = sentences(reply)
    replacements = _replacements(spans, edits)
    if not spans:
        return " ".join(edit.new for edit in edits) + reply
    out = [reply[: spans[0].start]]
    for index in range(len(spans) + 1):
        inserts = [edit.new for edit in edits if edit.op == "insert" and edit.index == index]
        out.append(_between(reply, spans, index, inserts, replacements))
        if index < len(spans):
            out.append(replacements.get(index, spans[index].text))
    return "".join(out) + reply[spans[-1].stop :]


def _replacements(spans: list[Sentence], edits: Sequence[Edit]) -> dict[int, str]:
    found: dict[int, str] = {}
    for edit in edits:
        if not 0 <= edit.index <= len(spans) - (edit.op == "replace"):
            raise ValueError(f"no sentence {edit.index} in a reply of {len(spans)}")
        if edit.op == "insert":
            continue
        if edit.index in found or spans[edit.index].text != edit.old:
            raise ValueError(f"sentence {edit.index} is not the one to replace")
        found[edit.index] = edit.new
    return found


def _between(reply: str, spans: list[Sentence], index: int, inserts: list[str], replacements: dict[int, str]) -> str:
    """What stands between sentence `index - 1` and sentence `index`, inserts included."""
    gap = reply[spans[index - 1].stop : spans[index].start] if 0 < index < len(spans) else ""
    if not inserts:
        return gap
    if index == 0:
        first = spans[0]
        return " ".join(inserts) + ("\n" if BULLET.match(first.text) else " ")
    before = replacements.get(index - 1, spans[index - 1].text)
    join = _join(reply, spans, index)
    lead = join if join != " " or not before[-1].isalnum() else ". "
    tail = "" if index == len(spans) else gap or " "
    return lead + join.join(inserts) + tail


def _join(reply: str, spans: list[Sentence], index: int) -> str:
    """A new line where the writer gives every sentence its own, else a space."""
    pair = (index - 1, index) if index < len(spans) else (index - 2, index - 1)
    if pair[0] < 0:
        return " "
    gap = reply[spans[pair[0]].stop : spans[pair[1]].start]
    listed = BULLET.match(spans[index - 1].text) is not None
    return "\n" if listed or gap.replace("\r\n", "\n").count("\n") == 1 else " "


def apply_one(current: str, edit: Edit) -> str | None:
    """`current` with one edit made for an earlier text; None where its target is gone."""
    spans = sentences(current)
    if edit.op == "insert":
        return apply(current, [_moved(edit, min(edit.index, len(spans)), "")])
    same = [i for i, s in enumerate(spans) if _key(s.text) == _key(edit.old)]
    if same:
        index = min(same, key=lambda i: abs(i - edit.index))
        return apply(current, [_moved(edit, index, spans[index].text)])
    return _replace_within(current, edit)


def apply_to_current(original: str, current: str, edit: Edit) -> str | None:
    """As `apply_one`, placed by what became of the sentences of `original`, for which it was made."""
    old, new = sentences(original), sentences(current)
    where = _alignment(old, new)
    if edit.op == "replace":
        index = where.get(edit.index)
        if index is None:
            return apply_one(current, edit)
        return apply(current, [_moved(edit, index, new[index].text)])
    place = _place(edit.index, len(old), where, len(new))
    return None if place is None else apply(current, [_moved(edit, place, "")])


def _moved(edit: Edit, index: int, old: str) -> Edit:
    return Edit(edit.op, index, old, edit.new, edit.before, edit.after)


def _key(text: str) -> str:
    """A sentence without its closing marks: an insert may have added the missing full stop."""
    return text.rstrip(".!?\u2026 ") or text


def _alignment(old: list[Sentence], new: list[Sentence]) -> dict[int, int]:
    """Where each sentence of the old text that survives now stands."""
    if max(len(old), len(new)) > ALIGN_AT_MOST:
        keys = {_key(s.text): i for i, s in reversed(list(enumerate(new)))}
        return {i: keys[_key(s.text)] for i, s in enumerate(old) if _key(s.text) in keys}
    matcher = SequenceMatcher(None, [_key(s.text) for s in old], [_key(s.text) for s in new], autojunk=False)
    return {b.a + k: b.b + k for b in matcher.get_matching_blocks() for k in range(b.size)}


def _place(index: int, old: int, where: dict[int, int], new: int) -> int | None:
    """The sentence of the new text before which to insert; None when nothing of the old is left."""
    if old == 0:
        return 0
    if index - 1 in where:
        return where[index - 1] + 1
    if index in where:
        return where[index]
    if index == 0 and where:
        return 0
    earlier = [where[i] for i in where if i < index]
    later = [where[i] for i in where if i >= index]
    if earlier:
        return new if index == old else max(earlier) + 1
    return min(later) if later else None


def _replace_within(current: str, edit: Edit) -> str | None:
    """The old sentence may have grown into a longer one: replace it where it stands by itself."""
    found = [m for m in re.finditer(re.escape(edit.old), current) if _stands_alone(current, m)]
    if not found:
        return None
    return current[: found[0].start()] + edit.new + current[found[0].end() :]


def _stands_alone(current: str, match: re.Match[str]) -> bool:
    before, after = current[: match.start()], current[match.end() :]
    opened = not before.strip() or before.rstrip()[-1] in ".!?\u2026\n"
    return opened and (not after or after[0].isspace()) and match[0][-1:] in ".!?\u2026"
