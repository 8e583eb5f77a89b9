"""Export a locked study's ledger, seed and protocol to one file that anybody can replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trial.errors import DomainError
from trial.models import Study
from trial.services import allocation


class Command(BaseCommand):
    help = "Write the allocation ledger of a locked study, with seed and protocol, to a JSON file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="slug of a locked study")
        parser.add_argument("--out", type=Path, required=True, help="file to write")

    def handle(self, *args: Any, study: str, out: Path, **options: Any) -> None:
        row = Study.objects.filter(slug=study).first()
        if row is None:
            raise CommandError(f"There is no study {study!r}.")
        try:
            document = allocation.export(row)
        except DomainError as error:
            raise CommandError(str(error)) from error
        text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        try:
            out.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{out}: {error.strerror}") from error
        self.stdout.write(f"{len(document['rows'])} allocations written to {out}")
