"""The phrase book as a source: the sentences of the themes that a post has, those that most likely suit it first."""

from __future__ import annotations

import logging
import math
import random
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from ml import lora, runtime
from ml.partner import phrases
from ml.partner.insight import Insight, Shape, Sight
from ml.partner.phrases import Move
from ml.partner.placing import LONGEST_POST
from ml.partner.reader import Reader
from ml.releases import WeightsError, folder, manifest, verified
from ml.types import Release

log = logging.getLogger(__name__)

NAME = "phrasebook"
WEIGHTS_FILE = "insight.safetensors"
LEAST_HAS = -3.0  # the logit of having a theme, below which nothing is said of it
LEAST_CHANCE = 0.65  # that a reader would let a sentence pass; under posts that tell of things in images more are wrong
# Themes that say something hurtful of the writer, or of somebody dear, where the post has them not ("so unhappy with
# how you look"), and the chance that they need.
DELICATE = frozenset(
    {
        "ashamed",
        "body_image",
        "cheated_on",
        "dating_fatigue",
        "failure",
        "family_hurt",
        "father_hurt",
        "humiliated",
        "infertility",
        "lost_baby",
        "love_sought",
        "mother_hurt",
        "nobody_cares",
        "not_accepted",
        "not_good_enough",
        "parent_critical",
        "past_abuse",
        "racism",
        "rejected",
        "self_doubt",
        "self_hate",
        "treated_badly",
    }
)
SURE_CHANCE = 0.8
LAST = 0.25  # the fit of a general sentence, which is said for want of better
SPREAD = 2.0  # how far a sure sentence stands above a doubtful one; below the policy's, which take up the post itself
KEPT = 256  # posts whose themes are remembered


class PhraseBook:
    """The authored sentences. The same post and seed give the same moves in the same order.

    `priors` are the logits of each sentence's passing where its theme is the heart of a post.
    """

    def __init__(self, insight: Insight, judge: Reader, priors: Mapping[str, float], found: Release) -> None:
        self.insight, self.judge, self.priors, self.release = insight, judge, priors, found
        self.themes = {theme.name: theme for theme in phrases.themes()}
        self.known: OrderedDict[str, tuple[Sight, ...]] = OrderedDict()

    @classmethod
    def load(cls, *, root: Path | None = None) -> PhraseBook:
        """One in a process. Raises WeightsError where the release, the book or the encoder is not as released."""
        return _load(folder(NAME, root=root))

    def moves(self, post: str, reply: str, *, seed: int) -> list[Move]:
        """What to say depends on the post alone."""
        return self.candidates(post, seed=seed)

    def candidates(self, post: str, *, seed: int) -> list[Move]:
        """The sentences that suit the post best first; such as suit it about as well in the seed's order."""
        post = post[:LONGEST_POST]
        found = [move for sight in self.sights(post) for move in self._of(sight, post)] + self._general(post)
        random.Random(seed).shuffle(found)  # noqa: S311 - variety, not secrecy
        return sorted(found, key=lambda move: -move.rank)

    def _of(self, sight: Sight, post: str) -> list[Move]:
        found = self.themes[sight.theme].said(post) if sight.has > LEAST_HAS else ()
        moves = [Move(mechanism, said, sight.theme, self._fit(sight, mechanism, raw)) for mechanism, raw, said in found]
        return [move for move in moves if move.fit > 0]

    def _general(self, post: str) -> list[Move]:
        """What may be said to anybody who is troubled, unless the post rather tells of something good."""
        glad = set(self.themes[phrases.GLAD].of)
        has = [(sight.has, sight.theme in glad) for sight in self.sights(post) if not self.themes[sight.theme].of]
        theme = phrases.general()
        return [] if max(has)[1] else [Move(mechanism, text, theme.name, LAST) for mechanism, text in theme.phrases]

    def _fit(self, sight: Sight, mechanism: str, raw: str) -> float:
        broad = bool(self.themes[sight.theme].of)
        chance = self.judge.chance(measures(sight, mechanism, raw, self.priors.get(raw, 0.0), broad=broad))
        least = SURE_CHANCE if sight.theme in DELICATE else LEAST_CHANCE
        return SPREAD * chance if chance >= least else 0.0

    def sights(self, post: str) -> tuple[Sight, ...]:
        """How each theme stands in the post."""
        if post not in self.known:
            self.known[post] = broadened(self.insight.sights([post])[0])
            if len(self.known) > KEPT:
                self.known.popitem(last=False)
        return self.known[post]

    def prepare(self, post: str) -> None:
        self.sights(post[:LONGEST_POST])


def broadened(found: Sequence[Sight]) -> tuple[Sight, ...]:
    """The themes read off a post, and the broad ones that follow: had as surely as any of theirs is."""
    by_name = {sight.theme: sight for sight in found}
    broad = [theme for theme in phrases.themes() if theme.of]
    return (*found, *(_any(theme.name, [by_name[name] for name in theme.of]) for theme in broad))


def _any(name: str, parts: Sequence[Sight]) -> Sight:
    return Sight(name, _either([part.has for part in parts]), _either([part.heart for part in parts]))


def _either(logits: Sequence[float]) -> float:
    """The logit that one of several things holds, each by its own logit and apart from the others."""
    none = -sum(math.log1p(math.exp(min(logit, 30.0))) for logit in logits)
    return math.log(max(-math.expm1(none), 1e-9)) - none


def measures(sight: Sight, mechanism: str, raw: str, prior: float, *, broad: bool) -> dict[str, float]:
    """What the chance of a sentence goes by."""
    return {
        "one": 1.0,
        "has": sight.has / 4,
        "heart": sight.heart / 4,
        "prior": prior,
        "named": float(phrases.WHO in raw),
        "broad": float(broad),
        f"is_{mechanism}": 1.0,
        f"is_{mechanism}_heart": sight.heart / 4,
        f"theme_{sight.theme}": 1.0,
    }


@cache
def _load(directory: Path) -> PhraseBook:
    info = manifest(directory)
    try:
        if info["book_sha256"] != phrases.digest():
            raise WeightsError("the phrase book is not the one that the release was made with")
        net = served(network(directory))
        judge = Reader({str(name): float(weight) for name, weight in info["judge"].items()})
        priors = {str(raw): float(prior) for raw, prior in info["priors"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{directory.name} is not a readable release: {error}") from error
    runtime.trim()
    found = Release(info["name"], info["version"], info["sha256"])
    log.info("phrase book %s ready", found)
    return PhraseBook(net, judge, priors, found)


def network(directory: Path) -> Insight:
    """A release's network with its adapters apart. Raises WeightsError."""
    info = manifest(directory)
    try:
        values = load_tensors(verified(directory / WEIGHTS_FILE, info["sha256"]).read_bytes())
        if info["themes"] != [theme.name for theme in phrases.plain_themes()]:
            raise WeightsError("the release knows other themes than the phrase book")
        net = Insight(Shape(**info["shape"]), info["themes"])
        net.load_trained({name: value.float() for name, value in values.items()})
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"{directory.name} is not a readable release: {error}") from error
    return net.eval()


def served(net: Insight) -> Insight:
    """With its adapters folded in, in the precision that this machine multiplies fastest."""
    lora.merge(net.encoder)
    net.encoder.to(runtime.precision())
    return net
