"""The crisis bar of every page, and numbers one can tap."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from trial import crisis
from trial.protocol import Crisis

register = template.Library()


@register.simple_tag(takes_context=True)
def crisis_help(context: Context, *, opened: bool = False) -> SafeString:
    """Help for the participant's country, or for the one the browser names; works without a request."""
    return _bar(_code(context), crisis.resources(), opened)


@lru_cache(maxsize=128)
def _bar(code: str, resources: Crisis, opened: bool) -> SafeString:  # noqa: FBT001
    """Rendered once per country: it stands on every page, and was half of a page's time."""
    help_ = crisis.help_for(code, resources)
    return render_to_string("includes/crisis.html", {"help": help_, "opened": opened})


@register.inclusion_tag("includes/crisis_here.html", takes_context=True)
def crisis_here(context: Context) -> dict[str, Any]:
    """The one or two numbers that matter most to this visitor."""
    return {"help": _help(context)}


def _help(context: Context) -> crisis.Help:
    return crisis.help_for(_code(context))


def _code(context: Context) -> str:
    own = getattr(context.get("participant"), "country", "")
    return own or context.get("crisis_country") or ""


@register.filter
def dial(text: str, scheme: str = "tel") -> SafeString:
    """The text, escaped, with every telephone number in it a link."""
    parts, end = [], 0
    for start, stop, number in crisis.numbers(text):
        link = format_html('<a href="{}:{}">{}</a>', scheme, number, text[start:stop])
        parts.append((text[end:start], link))
        end = stop
    return format_html("{}{}", format_html_join("", "{}{}", parts), text[end:])


@register.simple_tag
def crisis_text() -> str:
    """Crisis resources for the end of a mail."""
    return crisis.as_text()
