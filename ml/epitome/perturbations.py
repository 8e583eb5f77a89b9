"""Ways to write the same pair differently, each a pure function of the pair and a seeded chance."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from random import Random

from ml.epitome import dialects
from ml.epitome.dialects import Rules
from ml.epitome.pronouns import HE, SHE, THEY, cased, with_pronouns
from ml.types import Pair

Rewrite = Callable[[Pair, Random], Pair]

TYPOS = 0.12  # of the words of four letters and more: one in eight or so
LONG_WORD = re.compile(r"[A-Za-z]{4,}")
STOP = re.compile(r"(?<!\.)\.(?=\s|$)")
EMOJI = ("\U0001f642", "\U0001f49b", "✨", "\U0001f33b")
EXPANDING: Rules = (
    (r"_can't_", "cannot"),
    (r"_won't_", "will not"),
    (r"_shan't_", "shall not"),
    (r"_ain't_", "is not"),
    (r"_let's_", "let us"),
    (r"_(\w+)n't_", r"\1 not"),
    (r"_I'm_", "I am"),
    (r"_(\w+)'re_", r"\1 are"),
    (r"_(\w+)'ve_", r"\1 have"),
    (r"_(\w+)'ll_", r"\1 will"),
    (r"_(it|that|he|she|there|what|who)'s (been|got|had)_", r"\1 has \2"),
    (r"_(it|that|he|she|there|here|what|who|how|where)'s_", r"\1 is"),
)
GOES_ON = r"(?= \w)"  # nobody contracts the last word: "that is who they are"
NOT_ASKED = r"(?<!who )(?<!how )(?<!what )(?<!where )(?<!than )"
CONTRACTING: Rules = (
    (r"_can ?not_", "can't"),
    (r"_will not_", "won't"),
    (r"_(do|does|did|is|are|was|were|have|has|had|should|would|could) not_", r"\1n't"),
    (NOT_ASKED + "_I am_" + GOES_ON, "I'm"),
    (NOT_ASKED + "_(you|we|they) are_" + GOES_ON, r"\1're"),
    (NOT_ASKED + "_(it|that|he|she|there) is_" + GOES_ON, r"\1's"),
    (r"_(I|you|we|they) have (?=been_|had_|\w+ed_)", r"\1've "),
    (r"_(I|you|we|they|it) will_" + GOES_ON, r"\1'll"),
)

# Given names that few share across groups (the first two origins: Bertrand and Mullainathan 2004, table A1);
# names that are also common words are left out, since they would be found where nobody is named.
NAMES = {
    ("women", "white American"): ("Emily", "Allison", "Laurie", "Sarah", "Meredith", "Kristen"),
    ("men", "white American"): ("Todd", "Neil", "Geoffrey", "Brett", "Brendan", "Matthew"),
    ("women", "Black American"): ("Aisha", "Keisha", "Tamika", "Lakisha", "Tanisha", "Latoya"),
    ("men", "Black American"): ("Rasheed", "Tremayne", "Darnell", "Tyrone", "Jamal", "Jermaine"),
    ("women", "Hispanic"): ("Guadalupe", "Ximena", "Marisol", "Lucia", "Alejandra", "Yesenia"),
    ("men", "Hispanic"): ("Alejandro", "Javier", "Santiago", "Diego", "Luis", "Jorge"),
    ("women", "South Asian"): ("Priya", "Lakshmi", "Ananya", "Deepika", "Sunita", "Pooja"),
    ("men", "South Asian"): ("Rajesh", "Arjun", "Sanjay", "Vikram", "Amit", "Suresh"),
    ("women", "East Asian"): ("Mei", "Xiaoling", "Yuki", "Haruka", "Jiwoo", "Minji"),
    ("men", "East Asian"): ("Wei", "Jianhua", "Hiroshi", "Kenji", "Minjun", "Seojun"),
    ("women", "Arabic"): ("Fatima", "Khadija", "Noor", "Zainab", "Layla", "Mariam"),
    ("men", "Arabic"): ("Mohammed", "Ahmed", "Omar", "Youssef", "Khalid", "Mustafa"),
}
KNOWN_NAME = re.compile(rf"\b(?:{'|'.join(name for names in NAMES.values() for name in names)})\b")


@dataclass(frozen=True)
class Perturbation:
    name: str
    rewrite: Rewrite


@dataclass(frozen=True)
class Contrast:
    """Two sets of perturbations, by name, whose mean effects on the same pair are set against each other."""

    name: str
    plus: tuple[str, ...]
    minus: tuple[str, ...]


def in_reply(change: Callable[[str, Random], str]) -> Rewrite:
    return lambda pair, chance: Pair(pair.seeker, change(pair.response, chance))


def by_rules(rules: Rules) -> Rewrite:
    return in_reply(lambda text, _: ruled(text, rules))


def ruled(text: str, rules: Rules) -> str:
    """`text` after all rules in their order; a replacement takes the capital of what it replaces."""
    for pattern, new in rules:
        text = _compiled(pattern).sub(partial(_like, new), text)
    return text


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("'", "['’]").replace("_", r"\b"), re.IGNORECASE)


def _like(new: str, found: re.Match[str]) -> str:
    return cased(found.expand(new), found[0])


def with_typos(text: str, chance: Random) -> str:
    """About one long word in eight with two letters swapped, or one lost or doubled, never its first or last."""

    def mistyped(found: re.Match[str]) -> str:
        return _slip(found[0], chance) if chance.random() < TYPOS else found[0]

    return LONG_WORD.sub(mistyped, text)


def _slip(word: str, chance: Random) -> str:
    place = chance.randrange(1, len(word) - 2)
    one, two = word[place], word[place + 1]
    return word[:place] + chance.choice((two + one, two, one + one + two)) + word[place + 2 :]


def with_emoji(text: str, chance: Random) -> str:
    return f"{text.rstrip()} {chance.choice(EMOJI)}"


def emoji_for_stops(text: str, chance: Random) -> str:
    return STOP.sub(lambda _: f" {chance.choice(EMOJI)}", text)


def greeted(pair: Pair, _: Random) -> Pair:
    return Pair(pair.seeker, f"Hi there, {pair.response}")


def named(names: tuple[str, ...], pair: Pair, chance: Random) -> Pair:
    """The reply greets the poster by one of the names; whoever else is named bears another one of them."""
    place = chance.randrange(len(names))
    other = names[(place + 1) % len(names)]
    seeker, response = (KNOWN_NAME.sub(other, text) for text in (pair.seeker, pair.response))
    return Pair(seeker, f"Hi {names[place]}, {response}")


def spoken_of(forms: tuple[str, ...], pair: Pair, _: Random) -> Pair:
    return Pair(with_pronouns(pair.seeker, forms), with_pronouns(pair.response, forms))


def name_of(gender: str, origin: str) -> str:
    return f"names: {gender}, {origin}"


GENERAL = (
    Perturbation("typos", in_reply(with_typos)),
    Perturbation("lower case", in_reply(lambda text, _: text.lower())),
    Perturbation("upper case", in_reply(lambda text, _: text.upper())),
    Perturbation("emoji added", in_reply(with_emoji)),
    Perturbation("emoji for full stops", in_reply(emoji_for_stops)),
    Perturbation("contractions expanded", by_rules(EXPANDING)),
    Perturbation("contractions made", by_rules(CONTRACTING)),
    Perturbation("dialect: African American", by_rules(dialects.AFRICAN_AMERICAN)),
    Perturbation("dialect: Indian", by_rules(dialects.INDIAN)),
    Perturbation("dialect: Scottish", by_rules(dialects.SCOTTISH)),
    Perturbation("dialect: Irish", by_rules(dialects.IRISH)),
    Perturbation("second language", by_rules(dialects.SECOND_LANGUAGE)),
)
PRONOUNS = tuple(Perturbation(f"pronouns: {forms[0]}", partial(spoken_of, forms)) for forms in (HE, SHE, THEY))
NAMED = tuple(Perturbation(name_of(*group), partial(named, names)) for group, names in NAMES.items())
PERTURBATIONS = (*GENERAL, *PRONOUNS, Perturbation("greeting without a name", greeted), *NAMED)


def _of(wanted: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(name_of(*group) for group in wanted)


def _origin(origin: str) -> tuple[str, ...]:
    return _of(group for group in NAMES if group[1] == origin)


ORIGINS = tuple(dict.fromkeys(origin for _, origin in NAMES))
CONTRASTS = (
    Contrast("pronouns: she − he", ("pronouns: she",), ("pronouns: he",)),
    Contrast("pronouns: they − he", ("pronouns: they",), ("pronouns: he",)),
    Contrast(
        "names: women − men",
        _of(group for group in NAMES if group[0] == "women"),
        _of(group for group in NAMES if group[0] == "men"),
    ),
    *(Contrast(f"names: {origin} − {ORIGINS[0]}", _origin(origin), _origin(ORIGINS[0])) for origin in ORIGINS[1:]),
)
