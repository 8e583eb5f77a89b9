"""`manage.py simulate hailey --participants 60 --seed 1`: bots take part through the real pages."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from django.conf import settings
from django.core import mail
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.test.utils import override_settings
from tqdm import tqdm

from analysis import scoring
from analysis.bots import words
from analysis.bots.bankscores import bank_scores
from analysis.bots.characters import NAMES, cast
from analysis.bots.planting import Floats, NotPlantableError, Planting, authored, plant
from analysis.bots.setting import Setting, posts_of
from analysis.bots.simulation import Fared, Outcome, simulate
from analysis.plan import read_plan
from feedback.services import work
from trial.models import Allocation, Study

IN_MEMORY = "django.core.mail.backends.locmem.EmailBackend"


class Command(BaseCommand):
    help = "Let bots take part in a study through its real pages; fails on anything they did not expect."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study")
        parser.add_argument("--participants", type=int, default=60)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument(
            "--effect",
            type=float,
            help="plant this between-arm difference in the primary outcome, exactly in expectation; implies --light",
        )
        parser.add_argument("--light", action="store_true", help="no taps for help: much faster")
        parser.add_argument("--only", nargs="+", choices=NAMES, default=[], metavar="CHARACTER")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["participants"] < 1:
            raise CommandError("There must be at least one participant.")
        study = _study(options["study"])
        planting = self._planting(study, effect=options["effect"]) if _is_light(options) else None
        if planting is None:
            work.warm()
        setting = Setting(study, options["seed"], planting)
        players = cast(options["participants"], options["seed"], options["only"])
        began = time.monotonic()
        # Without DEBUG error pages are those that people get, and no query is logged.
        as_people_get_it = override_settings(EMAIL_BACKEND=IN_MEMORY, DEBUG=False)
        with as_people_get_it, _refusals_unlogged(), self._bar(len(players), "bots") as bar:
            mail.outbox = []
            outcome = simulate(setting, players, done=lambda fared: self._tell(bar, fared))
        self._summary(outcome, time.monotonic() - began)
        if not outcome.ok:
            raise CommandError("The simulation did not go as it should; see above.")

    # --- A planted effect ------------------------------------------------------------------

    def _planting(self, study: Study, *, effect: float | None) -> Planting:
        """Without an effect no scorer is asked, and both arms write by the same chances."""
        posts = posts_of(study)
        if effect is None:
            return plant(authored([draft.level for draft in words.BANK], len(posts)), effect=0.0)
        scores = self._scores(study, posts)
        try:
            planting = plant(scores, effect=effect)
        except NotPlantableError as error:
            raise CommandError(f"An effect of {effect:+g} cannot be planted: {error}.") from error
        self._say_planted(planting, effect)
        return planting

    def _scores(self, study: Study, posts: list[str]) -> Floats:
        primary = next(a for a in read_plan(study.protocol.sap).analyses if a.role == "primary")
        with self._bar(len(posts) * len(words.BANK), "scoring the bank") as bar:
            return bank_scores(
                posts,
                scoring.outcome_scorer(study),
                measure=primary.outcome,
                folder=settings.STATE_DIR / "simulate",
                progress=bar.update,
            )

    def _say_planted(self, planting: Planting, effect: float) -> None:
        plain, helped = (
            np.mean([planting.expected(post, helped=arm) for post in range(len(planting.scores))])
            for arm in (False, True)
        )
        self.stdout.write(
            f"Planted {effect:+g}: expected means {plain:.3f} without and {helped:.3f} with the help box."
        )

    # --- What is printed -------------------------------------------------------------------

    def _bar(self, total: int, what: str) -> Any:
        return tqdm(total=total, desc=what, unit="", disable=not sys.stderr.isatty(), leave=False)

    def _tell(self, bar: Any, fared: Fared) -> None:
        for problem in fared.problems:
            bar.clear()
            self.stderr.write(problem)
        bar.update(1)

    def _summary(self, outcome: Outcome, seconds: float) -> None:
        self.stdout.write(f"\n{'character':<12}{'bots':>5}  {'end':<12}{'ok':>4}  story")
        for character, fared in sorted(outcome.by_character().items(), key=lambda pair: pair[0].name):
            well = sum(one.ok for one in fared)
            self.stdout.write(f"{character.name:<12}{len(fared):>5}  {character.end:<12}{well:>4}  {character.story}")
        everybody = outcome.fared
        self.stdout.write(
            f"\n{len(everybody)} bots, {sum(one.ok for one in everybody)} as they should be; "
            f"{outcome.pages} pages in {seconds:.0f} s; {outcome.taps} taps for help, "
            f"{sum(one.taken for one in everybody)} suggestions taken, "
            f"{sum(one.flagged for one in everybody)} flagged"
        )
        if outcome.unanswered:
            reasons = ", ".join(f"{error} {count}" for error, count in outcome.unanswered.most_common())
            self.stdout.write(f"Taps that got no answer: {reasons}")
        if not outcome.help_works:
            self.stdout.write("Help does not work: too many taps got no answer.")
        if outcome.stopped:
            self.stdout.write("Stopped early: too much was broken.")


@contextmanager
def _refusals_unlogged() -> Iterator[None]:
    """Bots try what must be refused: a warning for each would hide what matters."""
    logger = logging.getLogger("django.request")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _is_light(options: dict[str, Any]) -> bool:
    return bool(options["light"]) or options["effect"] is not None


def _study(slug: str) -> Study:
    """The study, if bots may take part in it."""
    study = Study.objects.filter(slug=slug, current_version__isnull=False).first()
    if study is None:
        raise CommandError(f"There is no study {slug}; load its protocol first.")
    if not study.is_recruiting:
        raise CommandError(f"{slug} is {study.state}: bots join only where anybody may.")
    real = Allocation.objects.filter(study=study, participant__simulated=False).exists()
    if real and not settings.DEMO:
        raise CommandError(f"{slug} has real participants: bots would stand in their ledger.")
    return study
