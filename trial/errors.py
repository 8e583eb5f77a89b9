"""Domain errors: a message for people and a code for tests and callers."""

from __future__ import annotations


class DomainError(Exception):
    """Something the rules of a trial do not allow. Subclasses set `code`."""

    code = "domain_error"
