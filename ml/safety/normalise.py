"""Text as a screen should read it: one case, one spelling, no tricks with characters."""

from __future__ import annotations

import re
import unicodedata

INVISIBLE = dict.fromkeys(
    [
        *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFEFF, 0xFFA0),
        *(*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10)),
    ]
)

# Letters of other scripts that look like Latin ones.
LOOKALIKES = str.maketrans(
    "аеорсухіӏкмнтвԁѕјһԛԝαεοικντυρη",
    "aeopcyxilkmhtbdsjhqwaeoikvtupn",
)
QUOTES = str.maketrans("‘’‚‛′`´ʼ＇", "'''''''''")
LEET = str.maketrans("013457$@", "oieastsa")

WORDS = {
    "al": "all", "anymor": "anymore", "atempt": "attempt", "bein": "being", "bcuz": "because",
    "cannot": "cant", "cuz": "because", "dye": "die", "dieing": "dying", "diying": "dying",
    "evry1": "everyone", "evryone": "everyone", "ev1": "everyone", "gona": "going to",
    "gonna": "going to", "gunna": "going to", "finna": "going to", "hav": "have", "hurtin": "hurting",
    "im": "i am", "imma": "i will", "ima": "i will", "ive": "i have", "kil": "kill", "kiling": "killing",
    "killin": "killing", "kiil": "kill", "kili": "kill", "livin": "living", "lyf": "life", "lyfe": "life",
    "meself": "myself", "mself": "myself", "myslef": "myself", "mysef": "myself", "mysel": "myself",
    "myseif": "myself", "mi": "my", "noone": "nobody", "nobodys": "nobody", "pils": "pills",
    "seif": "self", "selfharm": "self harm", "selfharming": "self harming", "stil": "still",
    "sewerslide": "suicide", "sewercide": "suicide", "suiside": "suicide", "suicde": "suicide",
    "sucide": "suicide", "suiced": "suicide", "suacide": "suicide", "suicid": "suicide",
    "suicude": "suicide", "sucidal": "suicidal", "suicdal": "suicidal", "suisidal": "suicidal",
    "suicidial": "suicidal", "suic": "suicide", "theyre": "they are", "tryna": "trying to",
    "u": "you", "ur": "your", "urself": "yourself", "ursef": "yourself", "wana": "want to",
    "wanna": "want to", "wnna": "want to", "wan": "want", "wont": "will not", "wudnt": "wouldnt",
    "yall": "you all", "youre": "you are", "hes": "he is", "shes": "she is", "luv": "love",
}  # fmt: skip

PHRASES = (
    (re.compile(r"\b(?:any more|any longer|no longer|no more)\b"), "anymore"),
    (re.compile(r"\bcan not\b"), "cant"),
    (re.compile(r"\bdo not\b"), "dont"),
    (re.compile(r"\b(my|your|him|her|them|our) (self|selves)\b"), r"\1\2"),
    (re.compile(r"\b(?:no one|no body)\b"), "nobody"),
    (re.compile(r"\bevery (?:one|body|1)\b|\beverybody\b"), "everyone"),
    (re.compile(r"\bsome (?:one|body)\b|\bsomebody\b"), "someone"),
    (re.compile(r"\b(?:want|like|need) too (?=\w)"), "want to "),
)

STARRED = (
    (re.compile(r"\bk[^\w\s](?:[^\w\s]|l)l"), "kill"),
    (re.compile(r"\bd[^\w\s]e\b"), "die"),
    (re.compile(r"\bs[^\w\s]{0,2}u?[^\w\s]?i?[^\w\s]?c[^\w\s]?i?[^\w\s]?d(?=e|al)"), "suicid"),
    (re.compile(r"\bf[^\w\s]{1,2}c?k"), "fuck"),
    (re.compile(r"\bs[^\w\s]{1,2}t\b"), "shit"),
)

STARS = re.compile(r"\w[^\w\s,.']{1,2}\w")  # a sign inside a word
DIGITS = re.compile(r"[0-9$@]")
SPELLED = re.compile(r"\b(?:\w[ ._*\-]{1,2}){3,40}\w\b")
LEETWORD = re.compile(r"(?=\w{0,20}[0-9$@])(?=[0-9$@]{0,4}[a-z])[\w$@]{2,20}")
REPEATS = re.compile(r"(\w)\1{2,}")
ENDS = re.compile(r"\.{2,}|…")
STOPS = re.compile(r"[.!?;]+")
OTHER = re.compile(r"[^\w\s.]|_")
SPACES = re.compile(r"\s+")


def fold(text: str) -> str:
    """Lower case, compatibility forms, straight quotes; no invisible characters or lookalikes."""
    text = unicodedata.normalize("NFKC", text.translate(INVISIBLE)).translate(INVISIBLE)
    if not text.isascii():
        text = _without_marks(text.lower().translate(QUOTES).translate(LOOKALIKES))
    return text.lower().translate(QUOTES)


def _without_marks(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def _unleet(match: re.Match[str]) -> str:
    return match[0].translate(LEET)


def _unspell(match: re.Match[str]) -> str:
    return re.sub(r"[\W_]", "", match[0])


def plain(text: str) -> str:
    """The words of `text`, one space apart, " . " where a sentence ends.

    Letters spelled apart, digits for letters, stretched and common wrong spellings are undone.
    Every step is linear in the length of the text.
    """
    text = fold(text)
    if STARS.search(text):
        for pattern, word in STARRED:
            text = pattern.sub(word, text)
    text = SPELLED.sub(_unspell, text)
    if DIGITS.search(text):
        text = LEETWORD.sub(_unleet, text)
    text = REPEATS.sub(r"\1", text)
    text = ENDS.sub(" ", text).replace("'", "")
    text = OTHER.sub(" ", STOPS.sub(" . ", text))
    text = " ".join(WORDS.get(word, word) for word in SPACES.split(text))
    for pattern, word in PHRASES:
        text = pattern.sub(word, text)
    return SPACES.sub(" ", text).strip()
