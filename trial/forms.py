"""Forms built from the protocol: one factory turns a survey's items into accessible fields."""

from __future__ import annotations

from typing import Any

from django import forms

from trial.protocol import Consent, Item, Survey, TrainingPage
from trial.widgets import LikertWidget

LONGEST_RADIO_LIST = 8
UNANSWERED = {"required": "Please answer this question."}


def _integer(value: str) -> int | str:
    return int(value) if value else ""


def _choices(item: Item) -> list[tuple[str, str]]:
    return [(option.value, option.label) for option in item.options]


def _likert(item: Item, common: dict[str, Any]) -> forms.Field:
    points = [(str(n), str(n)) for n in range(1, item.points + 1)]
    widget = LikertWidget(low=item.low, high=item.high)
    return forms.TypedChoiceField(choices=points, coerce=_integer, empty_value=None, widget=widget, **common)


def _number(item: Item, common: dict[str, Any]) -> forms.Field:
    return forms.IntegerField(min_value=item.minimum, max_value=item.maximum, **common)


def _single(item: Item, common: dict[str, Any]) -> forms.Field:
    """Radio buttons, or a drop-down where the list would fill a phone."""
    choices = _choices(item)
    if len(choices) > LONGEST_RADIO_LIST:
        return forms.ChoiceField(choices=[("", "Please choose"), *choices], **common)
    return forms.ChoiceField(choices=choices, widget=forms.RadioSelect, **common)


def _multiple(item: Item, common: dict[str, Any]) -> forms.Field:
    return forms.MultipleChoiceField(choices=_choices(item), widget=forms.CheckboxSelectMultiple, **common)


def _text(item: Item, common: dict[str, Any]) -> forms.Field:
    return forms.CharField(max_length=item.max_length, widget=forms.Textarea({"rows": 3}), **common)


FIELDS = {
    "likert": _likert,
    "single": _single,
    "attention": _single,
    "multiple": _multiple,
    "number": _number,
    "text": _text,
}


class SurveyForm(forms.Form):
    """The items of a survey that people with this intervention are asked."""

    def __init__(self, survey: Survey, intervention: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for item in survey.items:
            if item.shown_to(intervention):
                common = {"label": item.text, "help_text": item.help, "required": item.required}
                common["error_messages"] = UNANSWERED
                self.fields[item.code] = FIELDS[item.kind](item, common)

    def answers(self) -> dict[str, Any]:
        """What was answered validly so far."""
        return {code: value for code, value in self.cleaned_data.items() if value not in (None, "", [])}


class ConsentForm(forms.Form):
    """Every statement is ticked, or consent is not given."""

    def __init__(self, consent: Consent, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for statement in consent.statements:
            self.fields[statement.code] = forms.BooleanField(
                label=statement.text,
                error_messages={"required": "Please tick this to take part, or choose not to take part below."},
            )


class CheckForm(forms.Form):
    """A training page's comprehension check."""

    answer = forms.ChoiceField(widget=forms.RadioSelect, error_messages=UNANSWERED)

    def __init__(self, page: TrainingPage, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        assert page.check is not None
        field = self.fields["answer"]
        assert isinstance(field, forms.ChoiceField)
        field.label = page.check.question
        field.choices = [(option.value, option.label) for option in page.check.options]


class WithdrawForm(forms.Form):
    kind = forms.ChoiceField(
        label="What should happen to what you have given so far?",
        choices=[
            ("stop", "Stop, and keep what I have given so far in the study"),
            ("erase", "Stop, and erase my answers and replies"),
        ],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        label="Would you like to tell us why?",
        help_text="You need not.",
        required=False,
        max_length=500,
        widget=forms.Textarea({"rows": 3}),
    )


class AcknowledgeForm(forms.Form):
    note = forms.CharField(label="What was done", max_length=1000, widget=forms.Textarea({"rows": 3}))
