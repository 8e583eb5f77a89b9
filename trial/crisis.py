"""Crisis resources for pages that belong to no study, and for mails: read once, never failing."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml
from django.conf import settings
from django.http import HttpRequest
from pydantic import ValidationError

from trial.protocol import Country, Crisis, Resource

logger = logging.getLogger(__name__)
NUMBER = re.compile(r"\+?\d(?:[\d \-]*\d)?")
REGION = re.compile(r"\b[a-zA-Z]{2,3}-(?:[A-Za-z]{4}-)?([A-Za-z]{2})\b")


def _resource(name: str, phone: str, url: str, text: str = "") -> Resource:
    return Resource(name=name, phone=phone, text=text, url=url, hours="24 hours", source=url, checked="not checked")


LAST_RESORT = Crisis(
    finder=_resource("Find a Helpline", "", "https://findahelpline.com"),
    countries=(
        Country(
            code="US",
            name="United States",
            emergency="911",
            resources=(_resource("988 Suicide & Crisis Lifeline", "988", "https://988lifeline.org", "988"),),
        ),
        Country(
            code="GB",
            name="United Kingdom",
            emergency="999 or 112",
            resources=(_resource("Samaritans", "116 123", "https://www.samaritans.org"),),
        ),
        Country(
            code="IE",
            name="Ireland",
            emergency="112 or 999",
            resources=(_resource("Samaritans", "116 123", "https://www.samaritans.org/ireland/"),),
        ),
    ),
)


@dataclass(frozen=True)
class Help:
    """What one visitor sees: their own country first, where it can be guessed, then all others."""

    finder: Resource
    here: Country | None
    others: tuple[Country, ...]


def resources() -> Crisis:
    """The resources of `CRISIS_FILE`, or the last-resort list when it cannot be read."""
    default = settings.BASE_DIR / "protocols" / "hailey" / "crisis.yaml"
    file = Path(getattr(settings, "CRISIS_FILE", default))
    try:
        return _read(file, file.stat().st_mtime_ns)
    except OSError:
        return LAST_RESORT


@lru_cache(maxsize=8)
def _read(file: Path, mtime: int) -> Crisis:
    try:
        return Crisis.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError):
        logger.exception("crisis resources unreadable, using the last-resort list")
        return LAST_RESORT


def country_first(code: str, crisis: Crisis | None = None) -> tuple[Country, ...]:
    """All countries, the one with this code first."""
    countries = (crisis or resources()).countries
    return tuple(sorted(countries, key=lambda country: country.code != code.upper()))


def help_for(code: str, crisis: Crisis | None = None) -> Help:
    crisis = crisis or resources()
    ordered = country_first(code, crisis)
    known = ordered[0].code == code.upper()
    return Help(crisis.finder, ordered[0] if known else None, ordered[1:] if known else ordered)


def likely_country(request: HttpRequest) -> str:
    """The first region that the browser's languages name, as in `en-GB`; empty when none."""
    found = REGION.search(request.headers.get("Accept-Language", "")[:200])
    return found.group(1).upper() if found else ""


def numbers(text: str) -> list[tuple[int, int, str]]:
    """Where telephone numbers stand in a text, and what to dial for each."""
    return [(m.start(), m.end(), re.sub(r"[^\d+]", "", m.group())) for m in NUMBER.finditer(text)]


def as_text(code: str = "") -> str:
    """The paragraph that ends every mail."""
    shown = help_for(code)
    lines = ["Need help now? If you or somebody else may be in danger, call your local emergency number."]
    lines += [_line(country) for country in ([shown.here] if shown.here else shown.others[:4])]
    return "\n".join([*lines, f"Any country: {shown.finder.url or shown.finder.phone}"])


def _line(country: Country) -> str:
    first = country.resources[0]
    reach = first.phone or first.text or first.url
    return f"{country.name}: emergency {country.emergency}; {first.name} {reach}"
