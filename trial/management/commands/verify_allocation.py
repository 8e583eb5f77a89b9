"""Replay a study's allocation, from the database or from an exported ledger alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trial import ledger
from trial.errors import DomainError
from trial.models import Study
from trial.services import allocation


class Command(BaseCommand):
    help = "Replay every allocation from the seed; prints ok or the differences, and never an arm."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", nargs="?", help="slug of a study in the database")
        parser.add_argument("--ledger", type=Path, help="a file written by export_ledger; uses no database")

    def handle(self, *args: Any, study: str | None, ledger: Path | None, **options: Any) -> None:
        if (study is None) == (ledger is None):
            raise CommandError("Name either a study or --ledger FILE.")
        count, differences = _from_file(ledger) if ledger else _from_database(str(study))
        for difference in differences:
            self.stdout.write(str(difference))
        if differences:
            raise CommandError(f"{len(differences)} difference(s) in {count} allocations.")
        self.stdout.write(f"ok: {count} allocations replayed without a difference")


def _from_database(slug: str) -> tuple[int, list[ledger.Difference]]:
    study = Study.objects.filter(slug=slug).first()
    if study is None:
        raise CommandError(f"There is no study {slug!r}.")
    try:
        return study.allocations.count(), allocation.verify(study)
    except (DomainError, ledger.LedgerError) as error:
        raise CommandError(str(error)) from error


def _from_file(file: Path) -> tuple[int, list[ledger.Difference]]:
    try:
        document = ledger.read(file)
        differences = ledger.verify_document(document)
    except ledger.LedgerError as error:
        raise CommandError(str(error)) from error
    return len(document["rows"]), differences
