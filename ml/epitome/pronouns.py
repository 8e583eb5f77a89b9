"""Speaks of the same third person as he, as she or as they, with the verb that goes with it."""

from __future__ import annotations

import re
from functools import partial

# Subject, object, possessive, possessive alone, reflexive.
HE = ("he", "him", "his", "his", "himself")
SHE = ("she", "her", "her", "hers", "herself")
THEY = ("they", "them", "their", "theirs", "themselves")

PLURAL = {
    "is": "are",
    "was": "were",
    "has": "have",
    "does": "do",
    "isn't": "aren't",
    "wasn't": "weren't",
    "hasn't": "haven't",
    "doesn't": "don't",
}
ADVERBS = "always|never|just|really|also|still|often|probably|only|even|actually|already"
NO_VERBS = {"always", "sometimes", "perhaps", "as", "his", "this", "us", "thus", "yes", "less", "besides"}
AFTER_HER = (
    "a|about|after|again|all|and|are|as|at|back|because|before|but|by|for|from|how|if|in|into|is|it|just|"
    "like|more|not|now|of|off|on|or|out|over|so|that|the|then|there|this|to|too|up|was|what|when|where|"
    "while|who|why|will|with|without|you|your"
)
CONTRACTED_HAS = re.compile(r" (?:been|got|had)\b", re.IGNORECASE)
ASKED = re.compile(rf"\b({'|'.join(PLURAL)}) (?:he|she)\b", re.IGNORECASE)
SUBJECT = re.compile(
    rf"\b(?:he|she)\b(?P<short>['’]s\b)?(?P<adverb> (?:{ADVERBS})\b)?(?P<verb> [a-z]+(?:n['’]t)?\b)?", re.IGNORECASE
)
FORM = re.compile(
    r"\b(?:(?P<subject>he|she)|(?P<object>him)|(?P<alone>hers)|(?P<reflexive>himself|herself)"
    rf"|(?P<possessive>(?:his|her)(?= (?!(?:{AFTER_HER})\b)\w))|(?P<end>his|her))\b",
    re.IGNORECASE,
)


def with_pronouns(text: str, forms: tuple[str, ...]) -> str:
    """`text` with he and she in one of the three forms; a they that stands there already is left."""
    if forms == THEY:
        text = SUBJECT.sub(_plural_verb, ASKED.sub(_plural_question, text))
    return FORM.sub(partial(_form, forms), text)


def _plural_question(found: re.Match[str]) -> str:
    """ "is she" as "are she"; the pronoun follows."""
    verb = found[1]
    return cased(PLURAL[verb.lower()], verb) + found[0][len(verb) :]


def _plural_verb(found: re.Match[str]) -> str:
    """ "she just knows" as "she just know"; the pronoun follows."""
    pronoun = found[0].split("'")[0].split("’")[0].split(" ")[0]
    adverb, verb = found["adverb"] or "", found["verb"] or ""
    if found["short"]:
        has = CONTRACTED_HAS.match(verb)
        return f"{pronoun}{found['short'][0]}{'ve' if has else 're'}{adverb}{verb}"
    return f"{pronoun}{adverb}{' ' + bare(verb[1:]) if verb else ''}"


def bare(verb: str) -> str:
    """The third person singular without its ending; any other word as it is."""
    known = PLURAL.get(verb.lower().replace("’", "'"))
    if known:
        return cased(known, verb)
    if verb.lower() in NO_VERBS or not verb.endswith("s") or verb.endswith("ss"):
        return verb
    if verb.endswith("ies") and len(verb) > 4:
        return f"{verb[:-3]}y"
    return verb[:-2] if verb.endswith(("shes", "ches", "sses", "xes", "zes", "goes", "does")) else verb[:-1]


def _form(forms: tuple[str, ...], found: re.Match[str]) -> str:
    place = {"subject": 0, "object": 1, "possessive": 2, "alone": 3, "reflexive": 4}
    kind = found.lastgroup or ""
    if kind == "end":  # with no noun after it: "his" stands alone, "her" is the object
        kind = "alone" if found[0].lower() == "his" else "object"
    return cased(forms[place[kind]], found[0])


def cased(new: str, old: str) -> str:
    """`new` in capitals, or with one, as `old` is."""
    if old.isupper() and sum(map(str.isalpha, old)) > 1:
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new
