"""What a participant cannot do with feedback; `code` says why, the message is for them."""

from __future__ import annotations

from trial.errors import DomainError


class NotOfferedError(DomainError):
    """The arm has no feedback. The views answer 404, as for a page that does not exist."""

    code = "not_offered"


class NothingToFlagError(DomainError):
    code = "nothing_to_flag"


class NoReasonError(DomainError):
    code = "no_reason"


class SupersededError(DomainError):
    """The suggestion belongs to an answer that a newer one has replaced."""

    code = "superseded"
