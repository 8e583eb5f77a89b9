"""The registry through which an arm reaches its intervention.

`trial` names interventions and never imports them; an app registers its own in `AppConfig.ready`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from django.http import HttpRequest
from django.utils.safestring import SafeString

if TYPE_CHECKING:
    from trial.models import Reply


class Intervention(Protocol):
    """What an arm adds to the writing page."""

    code: str

    def panel(self, request: HttpRequest, reply: Reply) -> SafeString:
        """What stands above the reply box, or an empty string."""
        ...

    def footer(self, request: HttpRequest, reply: Reply) -> SafeString:
        """What stands left of Next below the reply box, or an empty string."""
        ...

    def on_submit(self, reply: Reply) -> None:
        """Called in the transaction that submits the reply."""
        ...


class NoIntervention:
    """Writing without help: the page is identical but for the panel."""

    code = "none"

    def panel(self, request: HttpRequest, reply: Reply) -> SafeString:
        return SafeString("")

    def footer(self, request: HttpRequest, reply: Reply) -> SafeString:
        return SafeString("")

    def on_submit(self, reply: Reply) -> None:
        return None


_registry: dict[str, Intervention] = {"none": NoIntervention()}


def register(intervention: Intervention) -> None:
    _registry[intervention.code] = intervention


def intervention(code: str) -> Intervention:
    """Raises KeyError for an intervention that no app registered."""
    return _registry[code]


def registered() -> frozenset[str]:
    return frozenset(_registry)
