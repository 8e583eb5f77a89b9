"""A bot at the help box: taps, waits as the page's script would, takes suggestions, complains."""

from __future__ import annotations

import random
import time
import uuid
from urllib.parse import urljoin, urlsplit

from analysis.bots import words
from analysis.bots.characters import Character, Trait
from analysis.bots.engine import Browser
from analysis.bots.pages import Form, Node
from analysis.bots.setting import Setting
from feedback.models import FeedbackRequest
from feedback.services import work

PATIENCE = 90.0
FOR_A_WORKER = 1.0
RELOADS = 0.25
EDITS = 0.2
OPEN_STATES = ("loading",)
ANSWERED = ("suggestions", "awesome", "screened", "failed", "taken", "gone")
FIELDS = ("position", "revision", "text", "key")


class HelpBox:
    """The box on the page that the browser shows. It must be there: ask `is_offered` first."""

    def __init__(self, browser: Browser, setting: Setting, character: Character, chance: random.Random) -> None:
        self.browser = browser
        self.setting = setting
        self.character = character
        self.chance = chance
        self.taps = 0
        self.taken = 0
        self.flagged = 0

    @staticmethod
    def is_offered(browser: Browser) -> bool:
        """Box and flag button stand on the page together or not at all."""
        root = browser.page.root
        box, flag = root.first(id="help"), root.first(id="flag")
        if (box is None) != (flag is None):
            raise browser.unexpected("the help box and the flag button belong together")
        return box is not None

    def use(self, text: str) -> str:
        """Ask for help on this draft and see it through; returns the text as it then stands."""
        self._tap(text)
        self._wait()
        if Trait.FLAGS in self.character.traits and not self.flagged:
            self._flag()
        if self._state() == "suggestions" and self.chance.random() < RELOADS:
            self._tap(self._text())
            self._wait()
        while self._state() == "suggestions" and self.chance.random() < self.character.accepts:
            self._take()
        return self._by_hand(self._text())

    def _by_hand(self, text: str) -> str:
        """Now and then the text is changed once more before it is sent."""
        return f"{text} {words.AFTERTHOUGHT}" if self.chance.random() < EDITS else text

    def _tap(self, text: str) -> None:
        self.browser.step = "asking for help"
        form = self._form()
        asks = [b for b in form.buttons if b.action.endswith("/ask/")]
        if not asks:
            raise self.browser.unexpected("there is no button that asks for help")
        self.browser.submit(form, {"text": text}, button=asks[0])
        self.taps += 1
        if self._text() != text:
            raise self.browser.unexpected("asking for help changed the reply")

    def _form(self) -> Form:
        return self.browser.form(*FIELDS)

    def _text(self) -> str:
        return self._form().fields["text"].values[0]

    def _state(self) -> str:
        node = next((n for n in self.browser.page.root.walk() if "data-help" in n.attrs), None)
        return node.attrs["data-help"] if node is not None else ""

    # --- Waiting ---------------------------------------------------------------------------

    def _wait(self) -> None:
        """Look as the page does until there is an answer, then see the page anew."""
        self.browser.step = "waiting for help"
        if self._state() in OPEN_STATES:
            self._look_until_answered()
            self.browser.open(self.browser.page.url)
        if self._state() not in ANSWERED:
            raise self.browser.unexpected(f"help ended in the state {self._state()!r}")

    def _look_until_answered(self) -> None:
        look = self._look_of(self.browser.page.root)
        if look is None:
            raise self.browser.unexpected("the waiting box does not look for its answer")
        self.setting.private_pages[self.browser.bot] = urlsplit(look).path
        until = time.monotonic() + PATIENCE
        while look is not None:
            self._let_somebody_work(look)
            part, headers = self.browser.fragment(look)
            look = self._look_of(part)
            if look is None and headers.get("HX-Retarget") != "#help":
                raise self.browser.unexpected("the answer does not say that it replaces the help box")
            if time.monotonic() > until:
                raise self.browser.unexpected(f"no answer within {PATIENCE:.0f} s")

    def _look_of(self, root: Node) -> str | None:
        node = next((n for n in root.walk() if "data-look" in n.attrs), None)
        return urljoin(self.browser.page.url, node.attrs["hx-get"]) if node is not None else None

    def _let_somebody_work(self, look: str) -> None:
        """Give a running worker a moment to claim the request; else do its work here, as it would."""
        waiting = FeedbackRequest.objects.filter(
            pk=uuid.UUID(urlsplit(look).path.rstrip("/").rsplit("/", 1)[1]), status="queued"
        )
        until = time.monotonic() + (0 if self.setting.no_worker else FOR_A_WORKER)
        while waiting.exists():
            if time.monotonic() >= until:
                self.setting.no_worker = True
                work.work_queue()
                return
            time.sleep(0.05)
        if not self.setting.no_worker:
            time.sleep(0.2)

    # --- What is done with an answer ---------------------------------------------------------

    def _take(self) -> None:
        self.browser.step = "taking a suggestion"
        form = self._form()
        pills = [b for b in form.buttons if "/suggestions/" in b.action]
        if not pills:
            raise self.browser.unexpected("suggestions without a button to take one")
        before = self._text()
        pill = self.chance.choice(pills)
        self.browser.submit(form, {}, button=pill)
        if self._text() == before:
            raise self.browser.unexpected(f"the button {pill.text!r} did not change the reply")
        self.taken += 1

    def _flag(self) -> None:
        self.browser.step = "flagging feedback"
        form = self._form()
        before = form.fields["text"].values[0]
        answers = {"flag_not_understood": "on", "flag_other": self.chance.choice(words.FLAG_REASONS)}
        buttons = [b for b in form.buttons if b.action.endswith("/flag/")]
        if not buttons:
            raise self.browser.unexpected("there is no button that flags")
        self.browser.submit(form, answers, button=buttons[0])
        self.browser.says("flagged")
        if self._text() != before:
            raise self.browser.unexpected("flagging changed the reply")
        self.flagged += 1
