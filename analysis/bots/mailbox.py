"""The bots' mails: what the site sent while the simulation ran, kept in memory."""

from __future__ import annotations

import re

from django.core import mail

CODE = re.compile(r"^\s*([A-Z0-9]{3,}(?:-[A-Z0-9]{3,})?)\s*$", re.MULTILINE)


class NoMailError(Exception):
    """The mail that should have come did not, or lacks what it should say."""


def newest_code(address: str, *, must_say: str) -> str:
    """The code in the newest mail to this address, which must also hold `must_say`; empties the box."""
    letters = [letter for letter in getattr(mail, "outbox", ()) if address in letter.to]
    if not letters:
        raise NoMailError(f"no mail came for {address}")
    body = str(letters[-1].body)
    found = CODE.search(body)
    if found is None:
        raise NoMailError(f"no code in the mail {letters[-1].subject!r}")
    if must_say not in body:
        raise NoMailError(f"the mail {letters[-1].subject!r} does not say {must_say!r}")
    mail.outbox.clear()
    return found.group(1)
