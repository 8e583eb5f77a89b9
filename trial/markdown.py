"""Protocol texts from Markdown to HTML, with raw HTML escaped."""

from __future__ import annotations

from functools import lru_cache

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

_parser = MarkdownIt("commonmark", {"html": False, "typographer": True}).enable("table")


@lru_cache(maxsize=128)
def to_html(text: str) -> SafeString:
    return mark_safe(str(_parser.render(text)))  # noqa: S308  # html=False escapes whatever is not Markdown
