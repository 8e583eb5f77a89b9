"""The schema of `sap.yaml`: the statistical analysis plan as data, refused where it makes no sense."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from analysis.errors import PlanError
from trial.protocol import Protocol
from trial.questions import Code, Strict, Text

Role = Literal["primary", "secondary", "subgroup", "sensitivity", "exploratory"]
Method = Literal[
    "ancova_means",
    "ratio_of_means",
    "subgroup_interaction",
    "clustered_posts",
    "survey_ancova",
    "difference_in_proportions",
    "one_proportion",
]
REPLY_OUTCOMES = ("empathy", "empathy_expected", "er", "ip", "ex")
REPLY_METHODS = frozenset({"ancova_means", "ratio_of_means", "subgroup_interaction", "clustered_posts"})
BINARY_METHODS = frozenset({"difference_in_proportions", "one_proportion"})


class Estimand(Strict):
    """The five attributes of ICH E9(R1)."""

    treatment: Text
    population: Text
    variable: Text
    intercurrent_events: Text
    summary: Text


class Success(Strict):
    """Which answers count as yes: at least `minimum`, or one of `values`."""

    minimum: int | None = None
    values: tuple[str, ...] = ()

    @model_validator(mode="after")
    def one_rule(self) -> Self:
        if (self.minimum is None) == (not self.values):
            raise ValueError("success needs either minimum or values")
        return self


class Population(Strict):
    """Whose data an analysis uses: all randomised who have what it `needs`."""

    title: Text
    needs: Literal["nothing", "reply", "post_survey"]


class Subgroup(Strict):
    """The pre-specified subgroup: those whose answer to `variable` is one of `values`."""

    variable: Text
    title: Text
    values: tuple[str, ...] = Field(min_length=1)
    label: Text
    rest: Text


class PlannedAnalysis(Strict):
    """One pre-specified analysis.

    `posts: adjusted` removes how easy or hard a post is to answer from every reply before the
    participant's mean is taken. `missing: zero` counts a reply that was never written as 0.
    """

    id: Code
    role: Role
    title: Text
    outcome: Text
    method: Method
    population: Code
    covariates: tuple[str, ...] = ()
    baseline: str = ""
    posts: Literal["adjusted", "raw"] = "raw"
    missing: Literal["available", "zero"] = "available"
    better: Literal["higher", "lower"] = "higher"
    success: Success | None = None
    alpha: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    estimand: Estimand

    @model_validator(mode="after")
    def parts_fit_method(self) -> Self:
        if (self.outcome in REPLY_OUTCOMES) != (self.method in REPLY_METHODS):
            raise ValueError(f"{self.id}: {self.method} does not go with outcome {self.outcome}")
        if (self.success is not None) != (self.method in BINARY_METHODS):
            raise ValueError(f"{self.id}: success is given exactly for proportions")
        if self.baseline and self.method != "survey_ancova":
            raise ValueError(f"{self.id}: baseline is for survey_ancova")
        if self.alpha is not None and self.role != "primary":
            raise ValueError(f"{self.id}: only the primary analysis spends alpha")
        if self.missing == "zero" and (self.method != "ancova_means" or self.posts == "adjusted"):
            raise ValueError(f"{self.id}: missing: zero goes with ancova_means and raw posts")
        return self

    @property
    def variables(self) -> tuple[str, ...]:
        """Every survey variable that it reads."""
        names = (self.outcome, self.baseline, *self.covariates)
        return tuple(n for n in names if n and n != "stratum" and n not in REPLY_OUTCOMES)


class Plan(Strict):
    """The whole plan."""

    title: Text
    version: Text
    level: float = Field(0.95, gt=0.5, lt=1)
    minimum_per_arm: int = Field(5, ge=2)
    subgroup: Subgroup
    populations: dict[Code, Population] = Field(min_length=1)
    analyses: tuple[PlannedAnalysis, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def parts_fit_together(self) -> Self:
        ids = [a.id for a in self.analyses]
        if len(ids) != len(set(ids)):
            raise ValueError("an analysis id is given twice")
        if sum(a.role == "primary" for a in self.analyses) != 1:
            raise ValueError("exactly one analysis is primary")
        for analysis in self.analyses:
            if analysis.population not in self.populations:
                raise ValueError(f"{analysis.id}: unknown population {analysis.population}")
        return self

    @property
    def primary(self) -> PlannedAnalysis:
        return next(a for a in self.analyses if a.role == "primary")

    def canonical_json(self) -> str:
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()


def read_plan(document: dict[str, Any]) -> Plan:
    """The plan of a protocol's `sap`.

    Raises:
        PlanError: where and why it is invalid.
    """
    try:
        return Plan.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PlanError(f"sap.yaml: {place}: {first['msg']}" if place else f"sap.yaml: {first['msg']}") from error


def check_against(plan: Plan, protocol: Protocol) -> None:
    """See that every variable of the plan exists in the protocol's surveys.

    Raises:
        PlanError: naming the first variable that does not exist.
    """
    known = variables(protocol)
    for analysis in plan.analyses:
        for name in analysis.variables:
            if name not in known:
                raise PlanError(f"sap.yaml: {analysis.id}: no survey has {name}")
    if plan.subgroup.variable not in known:
        raise PlanError(f"sap.yaml: subgroup: no survey has {plan.subgroup.variable}")


def variables(protocol: Protocol) -> frozenset[str]:
    """Items and scales of the surveys before and after, as `survey.code`."""
    found: set[str] = set()
    for key, survey in protocol.surveys.items():
        found |= {f"{key}.{item.code}" for item in survey.items}
        found |= {f"{key}.{scale.code}" for scale in survey.scales}
    return frozenset(found)
