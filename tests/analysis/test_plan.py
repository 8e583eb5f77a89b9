"""The plan is data: read strictly, and checked against the surveys it names."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from analysis.errors import PlanError
from analysis.plan import check_against, read_plan
from tests.builders import HAILEY
from trial.protocol import read_protocol


@pytest.fixture
def document() -> dict[str, Any]:
    return yaml.safe_load((HAILEY / "sap.yaml").read_text())  # type: ignore[no-any-return]


def test_the_plan_of_hailey_names_only_what_its_surveys_ask() -> None:
    protocol = read_protocol(HAILEY)
    plan = read_plan(protocol.sap)
    check_against(plan, protocol)
    assert plan.primary.method == "ancova_means"
    assert plan.primary.outcome == "empathy"


def test_the_hash_of_a_plan_changes_with_any_word_of_it(document: dict[str, Any]) -> None:
    changed = copy.deepcopy(document)
    changed["analyses"][0]["estimand"]["summary"] += "."
    assert read_plan(document).sha256 == read_plan(copy.deepcopy(document)).sha256
    assert read_plan(document).sha256 != read_plan(changed).sha256


def analysis(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(a for a in document["analyses"] if a["id"] == name)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(surprise=1), "surprise"),
        (lambda d: analysis(d, "primary").update(seed=1), "analyses.0.seed"),
        (lambda d: analysis(d, "primary").update(method="t_test"), "analyses.0.method"),
        (lambda d: analysis(d, "primary").update(outcome="post.self_efficacy"), "does not go with"),
        (lambda d: analysis(d, "primary").update(population="everyone"), "unknown population"),
        (lambda d: analysis(d, "er").update(role="primary"), "exactly one analysis is primary"),
        (lambda d: analysis(d, "er").update(id="ip"), "given twice"),
        (lambda d: analysis(d, "er").update(alpha=0.05), "only the primary"),
        (lambda d: analysis(d, "helpful").pop("success"), "success"),
        (lambda d: analysis(d, "helpful").update(success={}), "minimum or values"),
        (lambda d: analysis(d, "primary")["estimand"].pop("summary"), "summary"),
        (lambda d: analysis(d, "sensitivity_zero").update(posts="adjusted"), "missing: zero"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_with_place_and_reason(
    document: dict[str, Any], change: Any, words: str
) -> None:
    change(document)
    with pytest.raises(PlanError, match=words):
        read_plan(document)


@pytest.mark.parametrize("field", ["outcome", "baseline"])
def test_a_plan_that_asks_for_what_no_survey_has_is_refused(document: dict[str, Any], field: str) -> None:
    analysis(document, "self_efficacy")[field] = "post.shoe_size"
    with pytest.raises(PlanError, match=r"self_efficacy: no survey has post\.shoe_size"):
        check_against(read_plan(document), read_protocol(HAILEY))
