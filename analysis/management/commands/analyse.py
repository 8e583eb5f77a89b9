"""`manage.py analyse STUDY`: run the plan on a snapshot and write the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analysis import runs
from analysis.runs import Written
from trial.errors import DomainError
from trial.models import Study


class Command(BaseCommand):
    help = "Run the statistical analysis plan on a snapshot; the newest one unless told otherwise."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="slug of the study, such as hailey")
        parser.add_argument("--snapshot", default="", help="folder of a snapshot, or the start of its hash")
        parser.add_argument("--out", type=Path, help="write the report there too")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(slug=options["study"]).first()
        if study is None:
            raise CommandError(f"No study {options['study']}. Load it first: manage.py load_protocol")
        try:
            folder, snapshot = runs.find_snapshot(study=study, wanted=options["snapshot"])
            if snapshot is not None:
                _, written = runs.analyse(snapshot=snapshot, out=options["out"])
            else:
                written = runs.analyse_folder(folder, options["out"] or folder / "report")
        except DomainError as error:
            raise CommandError(str(error)) from error
        self._print(written)

    def _print(self, written: Written) -> None:
        document = written.document
        self.stdout.write(self.style.MIGRATE_HEADING(document.title))
        for warning in document.warnings:
            self.stdout.write(self.style.WARNING(warning))
        for section in document.sections:
            lines = [part.sentence or part.problem for part in section.parts if part.role != "description"]
            if lines:
                self.stdout.write(f"\n{section.title}")
            for line in lines:
                self.stdout.write(f"  {line}")
        self.stdout.write("")
        for file in written.files:
            self.stdout.write(str(file))
