"""Validate a study folder and store it as a version of its study."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from trial.protocol import ProtocolError
from trial.services.studies import AmendmentError, load_protocol


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="for example protocols/hailey")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            version, new = load_protocol(folder=options["folder"])
        except (ProtocolError, AmendmentError) as error:
            raise CommandError(str(error)) from error
        what = "loaded" if new else "already loaded, nothing changed"
        self.stdout.write(f"{version.study.slug} {version.version} {what}: sha256 {version.sha256}")
