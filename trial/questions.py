"""The schema of questions: items, scored scales, surveys, and the rules of eligibility."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def no_repeats(codes: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for code in codes:
        if code in seen:
            raise ValueError(f"{what} {code} is given twice")
        seen.add(code)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Option(Strict):
    value: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]
    label: Text


class Item(Strict):
    """One question. `interventions` restricts it to arms with one of those interventions."""

    code: Code
    kind: Literal["likert", "single", "multiple", "number", "text", "attention"]
    text: Text
    help: str = ""
    options: tuple[Option, ...] = ()
    low: str = ""
    high: str = ""
    points: int = Field(7, ge=2, le=11)
    minimum: int | None = None
    maximum: int | None = None
    max_length: int = Field(2000, ge=1, le=10_000)
    required: bool = True
    reverse: bool = False
    correct: str = ""
    interventions: tuple[Code, ...] = ()

    @model_validator(mode="after")
    def parts_fit_kind(self) -> Self:
        if self.kind in ("single", "multiple") and len(self.options) < 2:
            raise ValueError(f"item {self.code}: {self.kind} needs at least two options")
        if self.kind == "attention" and self.correct not in {o.value for o in self.options}:
            raise ValueError(f"item {self.code}: attention needs options and the correct one")
        if self.kind == "likert" and not (self.low and self.high):
            raise ValueError(f"item {self.code}: likert needs low and high anchors")
        no_repeats((o.value for o in self.options), f"item {self.code}: option")
        return self

    def shown_to(self, intervention: str) -> bool:
        return not self.interventions or intervention in self.interventions


class Scale(Strict):
    """A score over Likert items: their mean after reversing, if enough are answered."""

    code: Code
    title: Text
    items: tuple[Code, ...] = Field(min_length=1)
    min_answered: float = Field(0.5, gt=0, le=1)
    source: str = ""


class Survey(Strict):
    title: Text
    intro: str = ""
    items: tuple[Item, ...] = Field(min_length=1)
    scales: tuple[Scale, ...] = ()

    @model_validator(mode="after")
    def codes_are_whole(self) -> Self:
        no_repeats((i.code for i in self.items), "item")
        likert = {i.code for i in self.items if i.kind == "likert"}
        for scale in self.scales:
            for code in scale.items:
                if code not in likert:
                    raise ValueError(f"scale {scale.code}: {code} is no likert item of this survey")
        return self

    def item(self, code: str) -> Item:
        return next(i for i in self.items if i.code == code)


class Rule(Strict):
    """Eligible when the screening answer is at least `minimum`, or one of `values`."""

    item: Code
    minimum: int | None = None
    values: tuple[str, ...] = ()
    reason: Text
    safety: bool = False

    @model_validator(mode="after")
    def can_be_met(self) -> Self:
        if (self.minimum is None) == (not self.values):
            raise ValueError(f"rule on {self.item}: give either minimum or values")
        return self

    def met_by(self, answer: Any) -> bool:
        if self.minimum is not None:
            return isinstance(answer, int) and answer >= self.minimum
        return str(answer) in self.values


class Eligibility(Strict):
    survey: Survey
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def rules_fit_survey(self) -> Self:
        items = {i.code: i for i in self.survey.items}
        for rule in self.rules:
            if rule.item not in items:
                raise ValueError(f"rule on unknown item {rule.item}")
            unknown = set(rule.values) - {o.value for o in items[rule.item].options}
            if unknown:
                raise ValueError(f"rule on {rule.item}: {min(unknown)} is none of its options")
            if rule.minimum is not None and items[rule.item].kind != "number":
                raise ValueError(f"rule on {rule.item}: a minimum needs a number item")
        return self
