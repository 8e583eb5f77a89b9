"""Puts our own SVG drawings and our own style sheet into a report."""

from __future__ import annotations

from collections.abc import Mapping

from django import template
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.simple_tag
def drawing(drawings: Mapping[str, str], name: str) -> SafeString:
    """A figure drawn by `analysis.figures`; its labels were escaped when it was drawn."""
    return mark_safe(drawings.get(name, ""))  # noqa: S308


@register.simple_tag
def embedded(css: str) -> SafeString:
    """The style sheet of the repository, for a file that stands alone."""
    return mark_safe(css.replace("</", "<\\/"))  # noqa: S308
