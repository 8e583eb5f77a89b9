"""A bot's way from the door to the debrief, by the forms it finds; every page must be the one expected."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from django.urls import reverse

from analysis.bots import mailbox, words
from analysis.bots.answers import Persona
from analysis.bots.characters import Attempt, Character, Trait, attempts
from analysis.bots.engine import Browser, Page
from analysis.bots.pages import Answer
from analysis.bots.setting import Drafting, Setting
from analysis.bots.writing import Writing
from trial import progress
from trial.models import Participant
from trial.progress import State
from trial.protocol import Rule, Survey
from trial.views.guards import SESSION_KEY

STOPPING_PLACES = (State.PRE_SURVEY, State.TRAINING, State.INSTRUCTIONS, State.WRITING, State.POST_SURVEY)


class Bot:
    """One simulated participant."""

    def __init__(self, setting: Setting, number: int, character: Character) -> None:
        self.setting = setting
        self.number = number
        self.character = character
        self.chance = random.Random(f"{setting.seed}/{number}")  # noqa: S311
        self.attempts = attempts(character, self.chance)
        self.drafting = Drafting(setting, character, self.chance)
        self.persona = Persona(
            self.chance, self.drafting.confidence, attentive=Trait.INATTENTIVE not in character.traits
        )
        self.stops_at = self._stopping_place()
        self.devices: list[Browser] = []
        self.browser = self._device(1)
        self.participant = 0
        self.writing = Writing(self)

    def _stopping_place(self) -> State | None:
        if Trait.ERASES in self.character.traits:
            return State.WRITING
        return self.chance.choice(STOPPING_PLACES) if Trait.STOPS in self.character.traits else None

    def _device(self, device: int) -> Browser:
        number = self.number
        browser = Browser(
            f"{number} ({self.character.name})",
            address=f"10.{device}.{number // 250}.{number % 250 + 1}",
            arm_words=self.setting.arm_words,
        )
        self.devices.append(browser)
        return browser

    @property
    def pages_seen(self) -> int:
        return sum(device.pages_seen for device in self.devices)

    def has(self, trait: Trait) -> bool:
        return trait in self.character.traits

    def tries(self, attempt: Attempt) -> bool:
        return attempt in self.attempts

    # --- The way ---------------------------------------------------------------------------

    def take_part(self) -> None:
        """Go as far as this character goes.

        Raises:
            UnexpectedPageError: the site did something that it should not.
        """
        for step in self._steps():
            step()

    def _steps(self) -> Iterator[Callable[[], None]]:
        """The steps that this character takes, in order."""
        yield self.arrive
        yield self.screening
        if self.character.end == State.INELIGIBLE:
            return
        yield self.consent
        if self.character.end == State.DECLINED:
            return
        yield self.account
        for state, step in (
            (State.PRE_SURVEY, self.pre_survey),
            (State.TRAINING, self.training),
            (State.INSTRUCTIONS, self.instructions),
            (State.WRITING, self.writing.all_posts),
            (State.POST_SURVEY, self.post_survey),
            (State.DEBRIEF, self.debrief),
        ):
            if state == self.stops_at and state != State.WRITING:
                yield self.stop
                return
            yield step
            if state == State.WRITING and (self.stops_at == state or self.has(Trait.LEAVES)):
                if self.stops_at:
                    yield self.stop
                return

    def arrive(self) -> None:
        self.at_step("arriving")
        self.browser.open(reverse("trial:landing", args=[self.setting.study.slug]))
        self.send(self.browser.form())
        self.participant = int(self.browser.session[SESSION_KEY])
        Participant.objects.filter(pk=self.participant, user=None).update(simulated=True)
        self.at(State.SCREENING)

    def screening(self) -> None:
        self.at_step("screening")
        rules = self.setting.protocol.eligibility.rules
        known: dict[str, Answer] = {rule.item: _meeting(rule) for rule in rules if rule.values}
        for rule in rules:
            if (rule.safety and self.has(Trait.UNSAFE)) or (rule.minimum and self.has(Trait.UNDER_AGE)):
                known[rule.item] = _failing(rule, self._options(rule.item))
        survey = self.setting.protocol.eligibility.survey
        self._fill_survey(survey, known)
        self.at(self.character.end if self.character.end == State.INELIGIBLE else State.CONSENT)
        if self.has(Trait.UNSAFE):
            self.browser.says("do not have to be alone")

    def _options(self, item: str) -> tuple[str, ...]:
        return self.browser.form(item).fields[item].options

    def consent(self) -> None:
        self.at_step("deciding on consent")
        statements = [statement.code for statement in self.setting.protocol.consent.statements]
        form = self.browser.form(*statements)
        if self.has(Trait.DECLINES):
            self.send(form, button=form.button(name="decision", value="decline"))
            self.at(State.DECLINED)
            return
        agree = form.button(name="decision", value="agree")
        if self.tries(Attempt.NO_ANSWERS):
            self.browser.submit(form, {}, button=agree, status=400)
            self.browser.says("Please tick this to take part")
            form = self.browser.form(*statements)
        self.send(form, dict.fromkeys(statements, "on"), button=agree)
        self.at(State.ACCOUNT)

    # --- The account -----------------------------------------------------------------------

    @property
    def email(self) -> str:
        return self.setting.email(self.number)

    def account(self) -> None:
        self.at_step("making an account")
        if self.tries(Attempt.JUMP):
            self.jump()
        self.browser.open(self.browser.link("Continue with e-mail"))
        self.browser.submit(self.browser.form("email"), {"email": self.email})
        self._enter_code()
        self.at(State.PRE_SURVEY)

    def _enter_code(self) -> None:
        finder = self.setting.protocol.crisis.finder.url
        try:
            code = mailbox.newest_code(self.email, must_say=finder)
        except mailbox.NoMailError as error:
            raise self.browser.unexpected(str(error)) from error
        self.browser.submit(self.browser.form("code", only=False), {"code": code})

    def change_device(self) -> None:
        """Log out here, and go on elsewhere with a mailed code."""
        self.at_step("changing the device")
        if self.chance.random() < 0.5:
            self._log_out()
        self.browser = self._device(2)
        self.at_step("coming back on another device")
        self.browser.open(reverse("trial:landing", args=[self.setting.study.slug]))
        self.browser.open(self.browser.link("Get a code by e-mail"))
        self.browser.submit(self.browser.form("email"), {"email": self.email})
        self._enter_code()

    def _log_out(self) -> None:
        self.browser.open(reverse("account_logout"))
        self.browser.submit(self.browser.form())
        self.browser.open(reverse("trial:landing", args=[self.setting.study.slug]))
        self.browser.says("Take part")

    # --- Surveys, training, the end ----------------------------------------------------------

    def pre_survey(self) -> None:
        self.at_step("answering the survey before")
        challenging = self.chance.random() < (0.85 if self.character.tilt < 0 else 0.45)
        difficulty = "challenging" if challenging else "not_challenging"
        self._fill_survey(self.setting.protocol.survey("pre"), {"difficulty": difficulty})
        self.at(State.TRAINING)

    def post_survey(self) -> None:
        self.at_step("answering the survey after")
        self._fill_survey(self.setting.protocol.survey("post"), {})
        self.at(State.DEBRIEF)

    def _fill_survey(self, survey: Survey, known: dict[str, Answer]) -> None:
        everybody = [item.code for item in survey.items if not item.interventions]
        form = self.browser.form(*everybody)
        here = self.browser.page.path
        if self.tries(Attempt.NO_ANSWERS):
            self.browser.submit(form, {}, status=400)
            self.browser.expect(here)
            self.browser.says("Please look at this again")
            form = self.browser.form(*everybody)
        self.persona.reversed = {item.code for item in survey.items if item.reverse}
        known = {code: value for code, value in known.items() if code in form.fields}
        self.send(form, self.persona.answers(form, known))

    def training(self) -> None:
        self.at_step("training")
        wrong = self.tries(Attempt.WRONG_ANSWER)
        for number, page in enumerate(self.setting.protocol.training, 1):
            self.browser.says(f"page {number} of {len(self.setting.protocol.training)}")
            if page.check is None:
                self.send(self.browser.form("page"))
                continue
            if wrong:
                self._answer_wrongly(page.check.answer)
                wrong = False
            self.send(self.browser.form("page", "answer"), {"answer": page.check.answer})
        self.at(State.INSTRUCTIONS)

    def _answer_wrongly(self, right: str) -> None:
        form = self.browser.form("page", "answer")
        others = [option for option in form.fields["answer"].options if option != right]
        self.browser.submit(form, {"answer": self.chance.choice(others)})
        self.browser.says("Not quite")
        self.at(State.TRAINING)

    def instructions(self) -> None:
        self.at_step("reading the instructions")
        if self.tries(Attempt.JUMP):
            self.jump()
        self.send(self.browser.form())
        self.at(State.WRITING)

    def debrief(self) -> None:
        self.at_step("reading the debrief")
        self.send(self.browser.form())
        self.at(State.COMPLETED)
        self.browser.says("completed the study")

    def stop(self) -> None:
        self.at_step("leaving the study")
        kind = "erase" if self.has(Trait.ERASES) else "stop"
        self.browser.open(self.browser.link("Leave the study"))
        reason = self.chance.choice(words.REASONS)
        self.send(self.browser.form("kind", "reason"), {"kind": kind, "reason": reason})
        self.at(State.WITHDRAWN)
        self.browser.says("have been erased" if kind == "erase" else "Thank you for what you gave")

    # --- Small things ----------------------------------------------------------------------

    def at_step(self, step: str) -> None:
        self.browser.step = step

    def page_of(self, state: State) -> str:
        return reverse(progress.PAGES[state], args=[self.setting.study.slug])

    def at(self, state: State) -> Page:
        """We are on the page of this state."""
        return self.browser.expect(self.page_of(state))

    def send(self, form: Any, answers: dict[str, Answer] | None = None, **more: Any) -> Page:
        """Send a form as this character does."""
        return self.browser.submit(form, answers, twice=self.has(Trait.DOUBLE_CLICKS), **more)

    def jump(self) -> None:
        """Typing the address of a later page leads back to where one is."""
        here = self.browser.page.path
        for state in (State.COMPLETED, State.POST_SURVEY):
            self.browser.open(self.page_of(state))
            self.browser.expect(here)


def _meeting(rule: Rule) -> str:
    return rule.values[0]


def _failing(rule: Rule, options: tuple[str, ...]) -> str:
    if rule.minimum is not None:
        return str(max(rule.minimum - 2, 0))
    return next(option for option in reversed(options) if option not in rule.values)
