"""Numbers and results in words: one way to print an estimate, an interval, a p value, a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.estimators.values import (
    Effect,
    MeansResult,
    Proportion,
    ProportionsResult,
    RatioResult,
    SubgroupResult,
)
from analysis.plan import PlannedAnalysis, Subgroup

MINUS = "\u2212"
Result = MeansResult | RatioResult | SubgroupResult | ProportionsResult | Proportion


def number(value: float, digits: int = 2) -> str:
    """Fixed decimals, a true minus sign, and no minus zero."""
    text = f"{abs(value):.{digits}f}"
    return f"{MINUS}{text}" if value < 0 and float(text) != 0 else text


def percent(value: float) -> str:
    return f"{number(100 * value, 1)}%"


def p_value(p: float | None) -> str:
    """Three decimals, without the leading zero; the ends as bounds."""
    if p is None:
        return "not defined"
    if p < 0.001:
        return "< .001"
    return "> .999" if p >= 0.9995 else f"= {p:.3f}".replace("0.", ".", 1)


def interval(effect: Effect, digits: int = 2) -> str:
    return f"{number(effect.low, digits)} to {number(effect.high, digits)}"


@dataclass(frozen=True)
class Voice:
    """How this report calls its arms and its confidence level."""

    labels: dict[str, str]
    blinded: bool
    level: float

    def arm(self, code: str) -> str:
        return f"arm {code}" if self.blinded else f"the {self.labels[code]} arm"

    def label(self, code: str) -> str:
        return self.labels[code]

    @property
    def ci(self) -> str:
        return f"{self.level * 100:g}% CI"

    def bracket(self, effect: Effect, digits: int = 2, *, scale: float = 1, unit: str = "") -> str:
        """Interval and p value in brackets."""
        low, high = number(scale * effect.low, digits), number(scale * effect.high, digits)
        p = "" if effect.p is None else f"; p {p_value(effect.p)}"
        return f"({self.ci} {low}{unit} to {high}{unit}{p})"


def sentence(result: Result, analysis: PlannedAnalysis, voice: Voice, *, unit: str, subgroup: Subgroup) -> str:
    """One plain sentence that a statistician can paste."""
    if isinstance(result, MeansResult):
        return means_sentence(result, analysis, voice, unit)
    if isinstance(result, RatioResult):
        return ratio_sentence(result, analysis, voice)
    if isinstance(result, SubgroupResult):
        return subgroup_sentence(result, voice, subgroup)
    if isinstance(result, ProportionsResult):
        return proportions_sentence(result, analysis, voice)
    return proportion_sentence(result, voice)


def means_sentence(result: MeansResult, analysis: PlannedAnalysis, voice: Voice, unit: str) -> str:
    reference, other = result.arms
    effect = result.difference
    if number(abs(effect.estimate)) == number(0):
        how = f"scored the same on average as {voice.arm(reference.arm)}: difference {number(0)} points"
    else:
        way = "higher" if effect.estimate > 0 else "lower"
        how = f"scored {number(abs(effect.estimate))} points {way} on average than {voice.arm(reference.arm)}"
    return f"{analysis.title}: {voice.arm(other.arm)} {how} {voice.bracket(effect)}, {unit}. {_zero(effect, 0)}"


def ratio_sentence(result: RatioResult, analysis: PlannedAnalysis, voice: Voice) -> str:
    reference, other = result.arms
    change = result.ratio.estimate - 1
    way = "higher" if change >= 0 else "lower"
    return (
        f"{analysis.title}: the mean of {voice.arm(other.arm)} was {number(result.ratio.estimate)} times "
        f"that of {voice.arm(reference.arm)} {voice.bracket(result.ratio)}, "
        f"that is {percent(abs(change))} {way}. {_zero(result.ratio, 1)}"
    )


def subgroup_sentence(result: SubgroupResult, voice: Voice, subgroup: Subgroup) -> str:
    inside, outside, between = result.inside.difference, result.outside.difference, result.interaction
    reference, other = result.inside.arms
    verdict = (
        "The data show that the effect differs between the two groups."
        if between.excludes(0)
        else "The interval includes 0: the data do not show that the effect differs between the two groups."
    )
    return (
        f"{_upper(voice.arm(other.arm))} against {voice.arm(reference.arm)}: "
        f"a difference of {number(inside.estimate)} points {voice.bracket(inside)} "
        f"where the answer was “{subgroup.label.lower()}”, "
        f"and of {number(outside.estimate)} points {voice.bracket(outside)} among the others. "
        f"The two differ by {number(between.estimate)} points {voice.bracket(between)}. {verdict}"
    )


def proportions_sentence(result: ProportionsResult, analysis: PlannedAnalysis, voice: Voice) -> str:
    reference, other = result.arms
    effect = result.difference
    points = number(100 * effect.estimate, 1)
    return (
        f"{analysis.title}: {percent(other.count / other.n)} in {voice.arm(other.arm)} against "
        f"{percent(reference.count / reference.n)} in {voice.arm(reference.arm)}, a difference of {points} "
        f"percentage points {voice.bracket(effect, 1, scale=100)}. {_zero(effect, 0)}"
    )


def proportion_sentence(result: Proportion, voice: Voice) -> str:
    share = result.share
    return (
        f"{result.count} of {result.n} who answered agreed: {percent(share.estimate)} "
        f"({voice.ci} {percent(share.low)} to {percent(share.high)}). "
        "Only one arm is asked, so this is not an effect."
    )


def _zero(effect: Effect, null: int) -> str:
    if effect.excludes(null):
        return f"The interval does not include {null}, which would be no difference."
    return f"The interval includes {null}: the data are compatible with no difference."


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
