"""`manage.py snapshot STUDY`: score every submitted reply and freeze the data."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from analysis import scoring
from analysis.snapshot import Scope, Who, default_who, take_snapshot
from ml.releases import UnknownReleaseError, WeightsError
from ml.types import Scorer
from trial.errors import DomainError
from trial.models import Study


class Command(BaseCommand):
    help = "Score every submitted reply, and freeze the data of a study under a hash."
    stealth_options = ("scorer",)  # a caller in Python may bring its own

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="slug of the study, such as hailey")
        people = parser.add_mutually_exclusive_group()
        people.add_argument("--real", action="store_const", const="real", dest="who", help="real participants only")
        people.add_argument(
            "--simulated",
            action="store_const",
            const="simulated",
            dest="who",
            help="simulated participants only",
        )
        parser.add_argument("--scramble", type=int, metavar="SEED", help="dry run: deal the arms out anew at random")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(slug=options["study"]).first()
        if study is None:
            raise CommandError(f"No study {options['study']}. Load it first: manage.py load_protocol")
        who: Who = options["who"] or default_who(study)
        try:
            scorer = options.get("scorer") or scoring.outcome_scorer(study)
            self._take(Scope(study, who, options["scramble"]), scorer)
        except (DomainError, UnknownReleaseError, WeightsError) as error:
            raise CommandError(str(error)) from error

    def _take(self, scope: Scope, scorer: Scorer) -> None:
        pending = scoring.unscored(study=scope.study, release=str(scorer.release), simulated=scope.simulated)
        with tqdm(total=len(pending), desc="Scoring replies", unit="reply", disable=not pending) as bar:
            snapshot, created = take_snapshot(scope=scope, scorer=scorer, progress=bar.update)
        if scope.simulated:
            self.stdout.write(self.style.WARNING("SIMULATED participants only; real ones are left out."))
        self.stdout.write(f"{'New snapshot' if created else 'Nothing has changed since snapshot'} {snapshot}")
        self.stdout.write(f"  {snapshot.participants} participants, {snapshot.replies} replies, {snapshot.kind}")
        self.stdout.write(f"  {snapshot.path}")
