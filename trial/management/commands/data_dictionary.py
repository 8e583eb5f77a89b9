"""Print the data dictionary, made from the models: every table, field, type and what it means."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db.models import Field, Model

APPS = ("trial", "feedback", "analysis")


class Command(BaseCommand):
    help = __doc__ or ""

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(dictionary(), ending="")


def dictionary() -> str:
    """The whole dictionary as Markdown."""
    models = [model for app in APPS for model in apps.get_app_config(app).get_models()]
    head = "# Data dictionary\n\nMade from the code: `manage.py data_dictionary > docs/data-dictionary.md`.\n"
    return head + "".join(_table(model) for model in models)


def _table(model: type[Model]) -> str:
    meaning = " ".join((model.__doc__ or "").split())
    rows = [_row(field) for field in model._meta.concrete_fields]
    return (
        f"\n## {model._meta.label}\n\n{meaning}\n\n| field | type | null | choices or target |\n|---|---|---|---|\n"
        + "".join(rows)
    )


def _row(field: Field[Any, Any]) -> str:
    kind = field.get_internal_type()
    length = f"({field.max_length})" if field.max_length else ""
    return f"| {field.attname} | {kind}{length} | {'yes' if field.null else ''} | {_values(field)} |\n"


def _values(field: Field[Any, Any]) -> str:
    if field.remote_field is not None and not isinstance(field.related_model, str) and field.related_model:
        return f"→ {field.related_model._meta.label}"
    return ", ".join(str(value) for value, _ in field.flatchoices)
