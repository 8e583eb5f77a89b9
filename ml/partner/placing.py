"""Where in a reply a sentence could go: after a greeting, at the end, or in place of a cold sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ml.partner.phrases import cold
from ml.text import sentences
from ml.types import Edit, Slot

AFTER_WARMTH = "after_warmth"  # only where warmth has replaced the sentence before
LONGEST_POST = 1_200  # characters of a post that are read
SHOWN_SENTENCES = 8
SHOWN_CHARACTERS = 220
GREETING_WORDS = 4  # of a sentence that only greets, at most
FAREWELL = 8  # words of a sentence that only takes leave, at most
GREETING = re.compile(
    r"(?:hi+|hey+|hello+|hiya|greetings|yo(?!-)|good (?:morning|evening|afternoon))\b|good day(?=\W*(?:$|[,!.]))|"
    r"dear (?!(?:me|oh|god|lord)\b)\w+(?: \w+)?\s*(?:[,!.]|$)",
    re.I,
)
POINTS_BACK = re.compile(
    r"(?:that|this|it|it's|its|that's|thats|which|but|so|and|also|or|plus|then|they|those|these|he|she|him|her|them)\b",
    re.I,
)
# What answers the post at once: put before it, a sentence of ours would be what it seems to answer.
REACTS = re.compile(
    r"(?:oh+|ah+|aw+|wow|omg|ugh|ha(?:ha)+|lol|hm+|yeah|yep|yes|no+|well|congrat\w*|sorry|sounds|good (?:one|for|on)|"
    r"same|true|right|ok(?:ay)?|poor|what an?|how (?:sad|awful|annoying|exciting)|problem solved|annoying|classic)\b",
    re.I,
)
CLOSING = re.compile(
    r"(?:take care|good ?luck|best (?:wishes|of luck)|all the best|bye|cheers|talk soon|fingers crossed|chin up|"
    r"good ?night|hang in there|have fun|stay (?:strong|safe|well)|lots of love|much love|love from|warmly|"
    r"sending (?:you|u|love|hugs|strength)|(?:big |virtual )?hugs|(?:feel|get) (?:better|well)(?: soon)?(?=\W*(?:$|x))|"
    r"hope (?:you|u|ur|you're|it|that|this)\b|(?:best|love|thanks|thank you|hug|x+|(?:xo)+)(?=\W*$))[^?]{0,40}$",
    re.I,
)


@dataclass(frozen=True)
class View:
    """A reply as the models see it: all its sentences, or of a long one the first and last few."""

    sentences: tuple[str, ...]
    shown: tuple[int, ...]

    def compose(self, edits: Sequence[Edit] = ()) -> str:
        """The shown text with `edits`, for scoring; `ml.text.apply` gives the real one."""
        replaced = {e.index: e.new for e in edits if e.op == "replace"}
        parts: list[str] = []
        for index in self.shown:
            parts += [e.new for e in edits if e.op == "insert" and e.index == index]
            parts.append(replaced.get(index, self.sentences[index][:SHOWN_CHARACTERS]))
        return " ".join(parts + [e.new for e in edits if e.op == "insert" and e.index == len(self.sentences)])

    def greeted(self) -> int:
        """Before which sentence anything may go: after one that greets."""
        return 1 if self.sentences and GREETING.match(self.sentences[0]) else 0

    def opening(self) -> int:
        """Before which sentence a first reaction goes: after a greeting; where that runs on into what the writer has to
        say, behind the whole, which it would otherwise cut in two."""
        runs_on = self.greeted() and len(self.sentences[0].split()) > GREETING_WORDS
        return self.ending() if runs_on else self.greeted()

    def ending(self) -> int:
        """Before which sentence a question goes: the end, or before a farewell."""
        last = len(self.sentences)
        said_goodbye = last > 1 and CLOSING.match(self.sentences[-1]) and len(self.sentences[-1].split()) <= FAREWELL
        return last - 1 if said_goodbye else last

    def between(self, index: int) -> int:
        """The nearest place to `index` that is after a greeting, before a farewell, and neither between a sentence and
        one that points back at it nor before one that answers the post at once."""
        index = min(max(index, self.greeted()), self.ending())
        while index < self.ending() and self._leans(index):
            index += 1
        return index

    def _leans(self, index: int) -> bool:
        text = self.sentences[index]
        return bool(POINTS_BACK.match(text) or (index == self.greeted() and REACTS.match(text)))


def view(reply: str) -> View:
    found = tuple(s.text for s in sentences(reply))
    if len(found) <= SHOWN_SENTENCES:
        return View(found, tuple(range(len(found))))
    half = SHOWN_SENTENCES // 2
    return View(found, (*range(half), *range(len(found) - half, len(found))))


def slots(seen: View, mechanism: str) -> list[Slot]:
    """Where a move of this mechanism could go: a question ends a reply, the others open it.

    A cold sentence is replaced rather than left to stand beside what is added.
    """
    if mechanism == "ex":
        return [Slot("insert", seen.ending())]
    opening = seen.between(seen.opening())
    cold_ones = _replaceable(seen)[:1]
    if not cold_ones:
        return [Slot("insert", opening)]
    after = [Slot("insert", cold_ones[0].index + 1, kind=AFTER_WARMTH)] if mechanism == "ip" else []
    return cold_ones + after


def _replaceable(seen: View) -> list[Slot]:
    marked = ((i, seen.sentences[i], cold(seen.sentences[i])) for i in seen.shown)
    return [Slot("replace", i, text, kind) for i, text, kind in marked if kind and len(text) < SHOWN_CHARACTERS]
