"""Answers of the two surveys as columns: items as they were given, scales as their mean after reversing."""

from __future__ import annotations

from typing import Any

from trial.protocol import Protocol
from trial.questions import Item, Scale, Survey

NUMERIC = frozenset({"likert", "number"})
SURVEYS = ("pre", "post")


def columns(protocol: Protocol, *, with_restricted: bool) -> dict[str, Item | Scale]:
    """Every exported variable by name. Free text is never exported.

    Items that only one arm is asked would tell the arm, so they are left out until the lock.
    """
    found: dict[str, Item | Scale] = {}
    for key in SURVEYS:
        survey = protocol.survey(key)
        for item in survey.items:
            if item.kind != "text" and (with_restricted or not item.interventions):
                found[f"{key}.{item.code}"] = item
        for scale in survey.scales:
            if with_restricted or not _restricted(survey, scale):
                found[f"{key}.{scale.code}"] = scale
    return found


def value(survey: Survey, part: Item | Scale, answers: dict[str, Any]) -> float | str | None:
    """One participant's value of an item or a scale; None where it was not answered."""
    if isinstance(part, Scale):
        return scale_score(survey, part, answers)
    return _item_value(part, answers.get(part.code))


def scale_score(survey: Survey, scale: Scale, answers: dict[str, Any]) -> float | None:
    """Mean of the answered items after reversing, if enough of them are answered."""
    given = []
    for code in scale.items:
        item = survey.item(code)
        number = _number(answers.get(code))
        if number is not None:
            given.append(item.points + 1 - number if item.reverse else number)
    if not given or len(given) < scale.min_answered * len(scale.items):
        return None
    return sum(given) / len(given)


def _item_value(item: Item, answer: Any) -> float | str | None:
    if answer is None or answer in ("", []):
        return None
    if item.kind in NUMERIC:
        return _number(answer)
    return "|".join(str(a) for a in answer) if isinstance(answer, list) else str(answer)


def _number(answer: Any) -> float | None:
    if isinstance(answer, bool) or answer is None:
        return None
    try:
        return float(answer)
    except (TypeError, ValueError):
        return None


def _restricted(survey: Survey, scale: Scale) -> bool:
    return any(survey.item(code).interventions for code in scale.items)
