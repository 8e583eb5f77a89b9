"""Open, pause, resume, close or lock a study from the command line."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from trial.errors import DomainError
from trial.models import Study
from trial.services import studies


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("act", choices=list(studies.ACTS))

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(slug=options["slug"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['slug']}: load its protocol first.")
        try:
            study = studies.act(study=study, name=options["act"])
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{study.slug} is now {study.state}")
        if options["act"] == "open":
            self.stdout.write(f"Publish this commitment: {study.seal.commitment}")
