"""Passages that speak to a machine instead of a person: hidden from the policy, which copies words.

A model that copies words can copy an order along with them. Scorers, the crisis screen, an endpoint (which gets
both texts as quoted data) and people read the whole text.
"""

from __future__ import annotations

import re

from ml.safety.normalise import LEET, fold
from ml.text import sentences

RULES = "above|previous|prior|earlier|preceding|instructions?|prompts?|rules?|the post|guidelines"
VERBS = "output|print|repeat|insert|replace|suggest|recommend|say|write|echo|include|contain|append|translate"
WORDS = (
    "prompt|instructions?|sentences?|suggestions?|the words?|the phrase|verbatim|word for word|poem|first person"
    "|from now on"
)
ORDERS = (
    # whole turns, marks and code
    r"<\|.*?\|>|</?\s*(?:system|user|assistant|post|reply|draft|suggestion|prompt|instructions?)\s*/?>",
    r"(?:^|\W)(?:system|user|assistant|human|ai|bot)\s*:|\[\s*/?(?:system|inst|user|assistant)\s*\]|system override",
    r"\{\s*[\"'{]|\}\s*\}|\[\s*\{|\bdef \w+\(|\breturn ['\"]|\bprint\(|```|^#+ |\bselect \* from\b",
    # orders to forget the orders
    rf"\b(?:ignore|disregard|forget|override|bypass|skip)\b.{{0,40}}\b(?:{RULES})\b",
    # orders about what to say
    r"\b(?:reply|respond|answer|start|begin|end|continue)\b.{0,25}\b(?:exactly|verbatim|only with|the words?)\b",
    rf"\b(?:{VERBS})\b.{{0,45}}\b(?:{WORDS})\b",
    r"\b(?:insert|output|print|suggestion)\s*:",
    r"\byour (?:next |only |first )?(?:suggestions?|output|instructions?|prompt)\b",
    r"\b(?:every|each|all|the next|any) (?:suggestions?|outputs?)\b",
    r"\binstructions? for (?:the |you)|\bthe (?:hidden |system )?prompt\b",
    r"\bthe model\b|\blanguage model\b|\bsafety table\b",
    # orders about what to be
    r"\byou are now\b|\byou are (?:a|an|the) (?:pirate|bot|ai|assistant|model|system|character|doctor|actor)\b",
    r"\b(?:pretend|act as|role-?play)\b|\bas (?:the|your) (?:study lead|developer|administrator|admin|creator|owner)\b",
    r"\b(?:i|we) (?:hereby )?authori[sz]e you\b|\bthe participant is\b|\bdeveloper mode\b|\breward hack\b",
    r"\bfrom now on,? you\b|\bsay nothing else\b|\btranslate the following\b|\bsay in (?:her|his|my) voice\b",
    r"\b(?:please|so) write that\b|\bdear [\w' ]{0,25}assistant\b|<!--|-->",
)
ORDER = re.compile("|".join(f"(?:{one})" for one in ORDERS), re.IGNORECASE | re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"«.*?»|\"[^\"]{12,}?\"|\u201c[^\u201d]{12,}?\u201d", re.DOTALL)
GAPS = re.compile(r"\s+")


def hidden(text: str) -> str:
    """`text` without the quotations and sentences that order a machine about; perhaps nothing is left."""
    unquoted = QUOTED.sub(lambda found: "" if _orders(found[0]) else found[0], text)
    return " ".join(one.text for one in sentences(unquoted) if not _orders(one.text))


def _orders(passage: str) -> bool:
    read = GAPS.sub(" ", fold(passage))
    return any(ORDER.search(one) for one in (read, read.translate(LEET)))
