"""Walk the audit trail's hash chain and say where it breaks."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trial.services import audit


class Command(BaseCommand):
    help = "Verify the hash chain of the audit trail; exits with 1 and the places where it breaks."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchor",
            action="append",
            default=[],
            metavar="NUMBER:HASH",
            help="a number and hash printed by an earlier run and kept elsewhere; may be given again",
        )

    def handle(self, *args: Any, anchor: list[str], **options: Any) -> None:
        found = list(audit.breaks(anchors=dict(_anchor(text) for text in anchor)))
        for place in found:
            self.stdout.write(f"#{place.seq} {place.reason}")
        if found:
            raise CommandError(f"The chain breaks in {len(found)} place(s).")
        seq, hash_ = audit.head()
        self.stdout.write(f"ok: {seq} events, anchor {seq}:{hash_}")


def _anchor(text: str) -> tuple[int, str]:
    number, _, hash_ = text.partition(":")
    if not number.isdigit() or len(hash_) != 64:
        raise CommandError(f"{text!r} is no NUMBER:HASH")
    return int(number), hash_
