"""Form widgets that Django lacks."""

from __future__ import annotations

from typing import Any

from django import forms


class LikertWidget(forms.RadioSelect):
    """A row of numbers to tap, with what the lowest and the highest mean."""

    template_name = "django/forms/widgets/likert.html"

    def __init__(self, *, low: str = "", high: str = "", attrs: dict[str, Any] | None = None, **kw: Any) -> None:
        super().__init__(attrs=attrs, **kw)
        self.low, self.high = low, high

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        labels = [str(label) for _, label in self.choices if label]
        context["widget"] |= {"low": self.low, "high": self.high, "highest": labels[-1] if labels else ""}
        return context
