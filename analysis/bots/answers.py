"""How a bot answers the questions it finds: by its nature where that matters, else by chance."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from analysis.bots import words
from analysis.bots.pages import Answer, Field, Form

INSTRUCTED = re.compile(r"choose [\"“]([^\"”]+)[\"”]", re.IGNORECASE)
OPTIONAL = "(optional)"


@dataclass
class Persona:
    """Who answers: how sure of themselves (about 0, spread 1), whether they read what they are asked."""

    chance: random.Random
    confidence: float = 0.0
    attentive: bool = True
    reversed: Collection[str] = ()

    def answers(self, form: Form, known: Mapping[str, Answer]) -> dict[str, Answer]:
        """An answer to every question of the form that needs one; `known` are given as they are."""
        given = {field.name: self.answer(field) for field in form.asks()}
        kept = {name: answer for name, answer in given.items() if answer is not None}
        return kept | {name: answer for name, answer in known.items() if name in form.fields}

    def answer(self, field: Field) -> Answer | None:
        if field.kind in ("radio", "select"):
            return self._instructed(field) or self._scale(field) or self._any(field)
        if field.kind == "checkbox":
            return self.chance.sample(field.options, k=min(len(field.options), self.chance.choice((1, 1, 2))))
        if field.kind == "number":
            return str(round(self.chance.triangular(18, 75, 30)))
        return self._typed(field)

    def _any(self, field: Field) -> str:
        """Any option but the empty one that heads a list."""
        return self.chance.choice([option for option in field.options if option])

    def _instructed(self, field: Field) -> str | None:
        """The option that the question itself tells people to choose."""
        told = INSTRUCTED.search(field.legend)
        if told is None or not self.attentive:
            return None
        by_label = dict(zip(field.labels, field.options, strict=True))
        return by_label.get(told.group(1))

    def _scale(self, field: Field) -> str | None:
        if not all(option.isdigit() for option in field.options):
            return None
        points = [int(option) for option in field.options]
        middle, reach = (min(points) + max(points)) / 2, (max(points) - min(points)) / 2
        value = middle + reach * (0.15 + 0.3 * self.confidence + self.chance.gauss(0, 0.25))
        if field.name in self.reversed:
            value = 2 * middle - value
        return str(min(max(round(value), min(points)), max(points)))

    def _typed(self, field: Field) -> str | None:
        wanted = OPTIONAL not in field.legend or self.chance.random() < 0.3
        return self.chance.choice(words.REMARKS) if wanted else None
