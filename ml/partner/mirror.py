"""A post's own clauses, turned round from "I" to "you", and the openings that they can stand behind.

A small model phrases well and mixes up who did what. A clause that is copied cannot: what it says happened did happen,
to whom the post says. The policy then only judges which clause is the heart of the post, and which opening suits it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from ml.text import sentences

FEWEST_WORDS, MOST_WORDS = 3, 15

# How people write what they say: undone before a clause is turned round.
SPELLINGS = {
    "i": "I", "im": "I'm", "i'm": "I'm", "ive": "I've", "i've": "I've", "i'd": "I'd", "i'll": "I'll", "dont": "don't",
    "cant": "can't", "didnt": "didn't", "wasnt": "wasn't", "isnt": "isn't", "havent": "haven't", "hasnt": "hasn't",
    "wont": "won't", "couldnt": "couldn't", "wouldnt": "wouldn't", "doesnt": "doesn't", "hadnt": "hadn't",
    "arent": "aren't", "werent": "weren't", "shouldnt": "shouldn't", "hes": "he's", "shes": "she's", "thats": "that's",
    "theyre": "they're", "theyve": "they've", "ur": "your", "u": "you", "bc": "because", "cos": "because",
    "cuz": "because", "coz": "because", "rn": "right now", "&": "and", "tho": "though", "abt": "about", "w": "with",
    "noone": "no one", "alot": "a lot", "mum's": "mum's", "wanna": "want to", "gonna": "going to", "gotta": "got to",
}  # fmt: skip
DAYS = frozenset(
    """monday tuesday wednesday thursday friday saturday sunday january february april june july september october
    november december christmas easter thanksgiving ramadan diwali english spanish french german polish""".split()  # noqa: SIM905
)
TURNED = {
    "I": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "I'm": "you're", "I've": "you've",
    "I'd": "you'd", "I'll": "you'll", "we": "you", "us": "you", "our": "your", "ours": "yours",
    "ourselves": "yourselves", "we're": "you're", "we've": "you've", "we'd": "you'd", "we'll": "you'll",
}  # fmt: skip
BE = {"am": "are", "was": "were", "wasn't": "weren't", "ain't": "aren't"}
FAMILY = frozenset(("mum", "mom", "mam", "dad", "nan", "nana", "grandma", "grandad", "grandpa"))
LOWERED = frozenset(("my", "our", "the", "he", "she", "they", "nobody", "everyone", "no", "on", "last", "this"))
FIRST = frozenset(("I", "we", "I'm", "I've", "I'd", "I'll", "we're", "we've", "we'd", "we'll"))
FILLERS = frozenset(
    """and but so then now also anyway well yeah honestly like because plus tbh lol idk basically apparently maybe
    though although still even when while since after before that which who if or yet just actually literally""".split()  # noqa: SIM905
)
PEOPLE = {
    "he": """dad father husband boyfriend brother son grandad grandpa grandfather uncle nephew boss manager ex mate
        supervisor landlord teacher doctor flatmate roommate colleague partner friend""",
    "she": """mum mom mam mother wife girlfriend sister daughter nan nana gran grandma grandmother aunt niece boss
        manager ex supervisor landlord teacher doctor flatmate roommate colleague partner friend""",
}
STRANGER = re.compile(
    r"\b(?:the|a|an|some|this|that|one|old|young) (?:\w+ )?(?:man|guy|bloke|lad|boy|kid|woman|lady|lass|girl|nurse|"
    r"doctor|teacher|manager|boss|customer|neighbou?r|vet|driver|examiner|officer|landlord|interviewer|baby|assistant)\b"
)
SOMEBODY = frozenset(
    """man men woman women boy boys girl girls kid kids child children baby lady guy bloke lad people parents friend
    friends cousin cousins twin twins teacher doctor nurse boss manager colleague neighbour neighbor landlord lady
    customer supervisor dog cat partner ex mate""".split()  # noqa: SIM905
).union(*(one.split() for one in PEOPLE.values()))
HANGING = frozenset(("it", "it's", "its", "them", "those", "these", "there", "one", "which"))
YOU = frozenset(("you", "you're", "you've", "you'd", "you'll"))
ADVERBS = frozenset(("really", "just", "also", "still", "never", "always", "only", "actually", "even", "ever"))
PERSONAL = frozenset(("he", "she", "him", "her", "his", "hers", "he's", "she's", "they", "they're", "their"))
# Speech that stood in quotation marks, or should have: what was said would run into who said it.
SAYS = re.compile(r"\b(?:said|says|goes|went|told \w+|asked) (?:what|why|how|did|do|is|are|no|yes|ok|okay|well|oh)\b")
SUBJECT = re.compile(
    r"(?:I|I'm|I've|I'd|I'll|we|we're|we've|my|our|he|she|nobody|no one|everyone|everybody|his|her|their|the|"
    r"he's|she's|a|an|all|both|one|two|three|[A-Z][a-z]+)$"
)
STARTED = frozenset(
    """lost got had was went came started found failed moved broke told asked saw heard cried spent left made tried
    been feel felt feeling can't don't didn't haven't woke sat stood bought sold gave took thought ended worked
    lived missed passed applied dropped quit argued fell missed waited""".split()  # noqa: SIM905
)
CLAUSES = "I|I'm|I've|my|he|she|they|we|nobody|no one|everyone|the|our|his|her"
BREAK = re.compile(
    r"\s*[;:\u2014\u2013()/]+\s*|\s+-+\s+"
    rf"|,\s+(?=(?:and|but|so|because|which|who|then|while|though|{CLAUSES})\b)|,\s+and\s+"
    rf"|\s+(?=(?:but|because|though|although|while|then|which)\s)|\s+(?=so\s+(?:{CLAUSES})\b)"
    rf"|\s+and\s+(?=(?:{CLAUSES}|now|then|it|it's|all)\b)"
)
WORD = re.compile(r"[a-z0-9']+")
TOGETHER = re.compile(r"(?:my|our) \w+(?: \w+)?|mum|mom|dad", re.IGNORECASE)  # "my mum" of "my mum and I"
ODD = re.compile(
    r"(?<!\w)'|'(?!\w)|[\"\u2018\u201c\u201d*#@<>{}\[\]?!|\\]|\b(?:you|your|you're|yourself|lol|lmao|wtf|fuck\w*|shit\w*)\b",
    re.I,
)

CARE = ("I'm so sorry {}.", "It saddens me that {}.", "I'm sorry to hear that {}.")
# by tense of the clause: what was, and what is
WAS: dict[str, tuple[str, ...]] = {
    "ip": ("It must have hurt when {}.", "It must have been upsetting when {}.", "It must have been painful when {}."),
    "ex": ("How did you feel when {}?", "What went through your mind when {}?", "What was it like for you when {}?"),
}
IS: dict[str, tuple[str, ...]] = {
    "ip": ("It must hurt that {}.", "It must be upsetting that {}.", "It must be painful that {}."),
    "ex": ("How do you feel when {}?",),
}
FELT_SO = ("It sounds like {}.", "It makes sense that {}.", "No wonder {}.")
PAST = re.compile(
    r"(?:\w{2,}ed|was|were|wasn't|weren't|had|did|didn't|went|came|said|told|got|found|took|made|left|lost|saw|heard|felt|"
    r"thought|knew|gave|kept|sat|stood|woke|broke|fell|ran|met|sent|spent|bought|sold|brought|caught|taught|wrote|rang|"
    r"began|drank|forgot|spoke|chose|drove|rode|stole|wore|grew|threw|flew|drew|paid|laid|built|slept|swept|wept|dealt|"
    r"meant|lent|held|led|shook|hung|stuck|hid|lit|ate|sang|won|bit|tore|hadn't|could|couldn't|would|wouldn't)$"
)
PRESENT = re.compile(
    r"(?:is|are|isn't|aren't|has|have|haven't|hasn't|do|don't|does|doesn't|can|can't|will|won't|keeps?|feels?|wants?|"
    r"says?|goes|comes|thinks?|knows?|gets?|makes?|makes|looks?|\w+'(?:re|ve|s))$"
)
FEELS = re.compile(r"\bfe(?:el|els|lt|eling)\b")
SORRY = re.compile(r"(?:I'm (?:so )?sorry|It saddens me that|It hurts to read that) ")
OPENED = re.compile(
    r"^(?:It makes sense that |I'm (?:so )?sorry (?:to (?:read|hear) that )?|It \w+ (?:me )?(?:to read )?that |"
    r"It must (?:be|have been) \w+ (?:that|when) |"
    r"It must (?:hurt|have hurt) (?:that|when) |It sounds like |No wonder |"
    r"(?:How|What) .*? (?:when|since|now that|for you that) )"
)
FELT = re.compile(r"you(?:'re| are| were)? (?:just |really |so )?(?:feel|felt|feeling|miss|missed|can't|don't know)\b")


def clauses(post: str) -> list[str]:
    """The clauses of the post that can be turned round, each once, in order, turned."""
    found: dict[str, None] = {}
    for sentence in sentences(post):
        for part in _parts(_spelled(sentence.text)):
            if turned := _turned(part, post):
                found[turned] = None
    return list(found)


@lru_cache(maxsize=256)
def said_back(post: str) -> tuple[str, ...]:
    """The words of the whole post turned round, and a mark where a sentence ends."""
    turned = [_said_to(said.split()) for one in sentences(post) if (said := _spelled(one.text))]
    return tuple(word for one in turned for word in (*words(one), "."))


def words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _spelled(text: str) -> str:
    words = text.replace("\u2019", "'").rstrip(".!\u2026 ").split()
    return " ".join(_word(word) for word in words)


def _word(word: str) -> str:
    bare = word.rstrip(",;:")
    tail = word[len(bare) :]
    low = bare.lower()
    if low in SPELLINGS:
        return SPELLINGS[low] + tail
    return (bare.capitalize() if low in DAYS else bare) + tail


def _parts(sentence: str) -> Iterator[str]:
    """The whole sentence, and what lies between its breaks, alone or with the next one."""
    found = [piece.strip(" ,") for piece in BREAK.split(sentence) if piece and piece.strip(" ,")]
    pieces = [two for one, two in pairwise(["", *found]) if not TOGETHER.fullmatch(one)]
    yield sentence
    yield from pieces
    for one, two in pairwise(pieces):
        if all(SUBJECT.match(_subject(piece.split()[0])) for piece in (one, two)) and was(one) == was(two):
            yield f"{one} and {two}"
    for piece in pieces:
        yield from (part.strip() for part in piece.split(", ")[:1] if ", " in piece)


def _turned(part: str, post: str) -> str | None:
    """The clause as said to its writer; None where it does not stand alone or cannot be turned safely."""
    if ODD.search(part):
        return None
    words = part.split()
    if words and words[0].lower() in {"who", "which", "that"}:
        return None  # its subject is in the clause before
    while words and words[0].lower() in FILLERS:
        words = words[1:]
    if words and words[0] in {"We", "We're", "We've", "We'd"}:
        words = [words[0].lower(), *words[1:]]
    if words and words[0].lower() in STARTED:
        words = ["I", words[0].lower(), *words[1:]]
    if not FEWEST_WORDS <= len(words) <= MOST_WORDS or not SUBJECT.match(_subject(words[0])):
        return None
    if (
        words[0].lower() not in LOWERED
        and words[0][0].isupper()
        and words[0] not in FIRST
        and not _a_name(words[0], post)
    ):
        return None
    if words[0].lower() in {"he", "she", "he's", "she's"} and not (words := _named(words, post)):
        return None
    return None if _hangs(words) or SAYS.search(" ".join(words)) else _said_to(words)


def _a_name(word: str, post: str) -> bool:
    """Whether a capital is a name's and not only a sentence's: family, or in capitals inside a sentence too."""
    return word.lower() in FAMILY or re.search(rf"[a-z,] {re.escape(word)}\b", post) is not None


def _subject(word: str) -> str:
    return word if word in FIRST or word[:1].isupper() else word.lower()


def _named(words: list[str], post: str) -> list[str]:
    """The clause with the person's name for a leading "he" or "she"; nothing where there are several, or none."""
    pronoun, _, rest = words[0].lower().partition("'")
    low = post.lower()
    people = [one for one in PEOPLE[pronoun].split() if re.search(rf"\bmy (?:\w+ )?{one}\b(?!')", low)]
    if len(people) != 1 or STRANGER.search(low):
        return []
    return ["my", people[0] + (f"'{rest}" if rest else ""), *words[1:]]


def _hangs(words: list[str]) -> bool:
    """Whether the clause points at something that only the post tells: "it", "them", or a "her" without a woman."""
    for at, word in enumerate(words):
        bare = word.lower().rstrip(",")
        if bare in HANGING or (bare in {"that", "this"} and at == len(words) - 1):
            return True
        if bare in PERSONAL and not any(_somebody(one, first=i == 0) for i, one in enumerate(words[:at])):
            return True
    return False


def _somebody(word: str, *, first: bool) -> bool:
    bare = word.lower().rstrip(",").removesuffix("'s")
    named = word[:1].isupper() and not first and word not in FIRST and bare not in DAYS
    return bare in SOMEBODY or named


def _said_to(words: list[str]) -> str:
    mine = words[0] in FIRST
    if words[0].lower() in LOWERED:
        words = [words[0].lower(), *words[1:]]
    turned = []
    for at, word in enumerate(words):
        bare = word.rstrip(",")
        before = next((one for one in reversed(words[:at]) if one not in ADVERBS), "")
        mine_still = mine and (before in {"and", "then", "but"} or (bare != "was" and at == 1))
        if bare in BE and (before in {"I", "we"} or mine_still):
            turned.append(BE[bare] + word[len(bare) :])
        else:
            turned.append(TURNED.get(bare, bare) + word[len(bare) :])
    return " ".join(turned)


def was(clause: str) -> bool:
    """Whether the clause's first verb is a past tense."""
    found = [word for word in clause.lower().split() if word not in ADVERBS]
    if found[0].endswith(("'ve", "'re", "'ll")):
        return False
    if found[0] in YOU or found[0] in {"i", "we", "i'd", "we'd"}:
        return len(found) > 1 and PAST.match(found[1]) is not None
    tense = next((word for word in found if PAST.match(word) or PRESENT.match(word)), "")
    return PAST.match(tense) is not None


def trials(clause: str) -> tuple[tuple[str, str], ...]:
    """Three sentences about a clause: the first two tell how near it is to the heart of its post, the first and the
    last whether it is a thing to be sorry for or to be glad of."""
    asked = (WAS if was(clause) else IS)["ex"][0]
    return (("er", CARE[0].format(clause)), ("ex", asked.format(clause)), ("er", f"I'm so glad {clause}."))


def clause_of(text: str) -> str:
    """The clause behind an opening; the whole sentence where there is none."""
    return OPENED.sub("", text).rstrip(".?")


def framed(clause: str) -> list[tuple[str, str]]:
    """(mechanism, sentence) of every opening that the clause can stand behind."""
    frames = {"er": CARE} | (WAS if was(clause) else IS)
    if clause.split(maxsplit=1)[0] in YOU:  # "what went through your mind when you ...?" sounds like blame
        frames["ex"] = tuple(frame for frame in frames["ex"] if "mind" not in frame)
    if FEELS.search(clause):
        frames["ex"] = ()
    if FELT.match(clause):
        frames["ip"] = (*frames["ip"], *FELT_SO)
    return [(mechanism, frame.format(clause)) for mechanism, mine in frames.items() for frame in mine]
