"""A bot at the posts: reads each, writes a reply, asks for help where there is any, and sends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.urls import reverse

from analysis.bots import words
from analysis.bots.characters import Attempt, Trait
from analysis.bots.helpbox import HelpBox
from analysis.bots.pages import Form
from trial.progress import State

if TYPE_CHECKING:
    from analysis.bots.journey import Bot

FIELDS = ("position", "revision", "window", "text")
AUTOSAVE = "data-draft-url"


class Writing:
    """`sent` is every reply by its position, to be compared with what the study stored."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot
        self.sent: dict[int, str] = {}
        self.helped: bool | None = None
        self.taps = 0
        self.taken = 0
        self.flagged = 0

    def all_posts(self) -> None:
        """Answer every post, or as many as this character does."""
        count = self.bot.setting.protocol.writing.per_participant
        end = count // 2 if self.bot.stops_at == State.WRITING or self.bot.has(Trait.LEAVES) else count
        special = self.bot.chance.randint(1, max(end - 1, 1))
        for position in range(1, end + 1):
            self.bot.at_step(f"writing reply {position}")
            self.bot.at(State.WRITING)
            if position == special:
                self._before_special(position)
            self._one_post(position, count)
            if position == special:
                self._after_special()
        self.bot.at(State.WRITING if end < count else State.POST_SURVEY)
        if self.bot.has(Trait.LEAVES):
            self._save_a_draft("I started, but")

    def _one_post(self, position: int, count: int) -> None:
        self.bot.browser.says(f"Post {position} of {count}")
        form = self._form(position)
        self._notice_help()
        text = self._draft(position)
        if self._asks():
            text = self._with_help(text)
            form = self._form(position)
        self._send(form, position, text)

    def _form(self, position: int) -> Form:
        browser = self.bot.browser
        form = browser.form(*FIELDS)
        if form.fields["position"].values != (str(position),):
            raise browser.unexpected(f"expected the form of reply {position}")
        return form

    def _send(self, form: Form, position: int, text: str) -> None:
        self.bot.send(form, {"text": text}, button=form.button(name="action", value="next"))
        self.sent[position] = text
        self._last = form

    def _draft(self, position: int) -> str:
        bot = self.bot
        if bot.has(Trait.WORRIES) and position == 2 and not bot.setting.light:
            return words.WORRYING
        quote = bot.browser.page.main.first("blockquote")
        post = bot.setting.post(quote.text) if quote is not None else None
        if post is None:
            raise bot.browser.unexpected("the post on the page is none of the study's")
        return bot.drafting.draft(post, helped=bool(self.helped))

    # --- Help ------------------------------------------------------------------------------

    def _notice_help(self) -> None:
        """Whether there is a help box is the same at every post."""
        offered = HelpBox.is_offered(self.bot.browser)
        if self.helped is None:
            self.helped = offered
        if offered != self.helped:
            raise self.bot.browser.unexpected("the help box came or went between two posts")

    def _asks(self) -> bool:
        if not self.helped or self.bot.setting.light:
            return False
        return self.bot.chance.random() < self.bot.character.asks

    def _with_help(self, text: str) -> str:
        bot = self.bot
        box = HelpBox(bot.browser, bot.setting, bot.character, bot.chance)
        box.flagged = self.flagged
        text = box.use(text)
        self.taps += box.taps
        self.taken += box.taken
        self.flagged = box.flagged
        return text

    # --- What happens once, at one of the posts ------------------------------------------------

    def _before_special(self, position: int) -> None:
        bot = self.bot
        tried: dict[Attempt, Callable[[int], None]] = {
            Attempt.EMPTY_REPLY: self._send_nothing,
            Attempt.WRONG_METHOD: self._use_the_wrong_method,
            Attempt.JUMP: lambda _: bot.jump(),
            Attempt.SNOOP: self._snoop,
        }
        for attempt, act in tried.items():
            if bot.tries(attempt):
                act(position)
        if bot.has(Trait.RETURNS):
            self._return_to_the_draft()
        if bot.has(Trait.WORRIES):
            self._worry()

    def _after_special(self) -> None:
        if not self.bot.tries(Attempt.REPLAY):
            return
        browser = self.bot.browser
        here = browser.page.path
        browser.submit(self._last, {"text": "Something else."}, button=self._last.button(name="action"))
        browser.expect(here)
        browser.says("already been sent")

    def _send_nothing(self, position: int) -> None:
        form = self._form(position)
        browser = self.bot.browser
        browser.submit(form, {"text": "  \n "}, button=form.button(name="action", value="next"), status=400)
        browser.says("Please write a few words")
        self._form(position)

    def _use_the_wrong_method(self, position: int) -> None:
        browser = self.bot.browser
        here = browser.page.url
        browser.open(self._draft_url(), status=405)
        browser.open(here)
        self._form(position)

    def _snoop(self, position: int) -> None:
        browser = self.bot.browser
        here = browser.page.url
        browser.open(reverse("trial:dashboard", args=[self.bot.setting.study.slug]), status=403)
        others = [page for name, page in self.bot.setting.private_pages.items() if name != browser.bot]
        for page in others[-1:]:
            browser.open(page, status=404)
        browser.open(here)
        self._form(position)

    # --- Autosave --------------------------------------------------------------------------

    def _draft_url(self) -> str:
        node = next((n for n in self.bot.browser.page.main.walk() if AUTOSAVE in n.attrs), None)
        if node is None:
            raise self.bot.browser.unexpected("the page has no address for autosave")
        return node.attrs[AUTOSAVE]

    def _save_a_draft(self, text: str) -> bool:
        """Let autosave run once; whether it said that help should be shown."""
        browser = self.bot.browser
        form = browser.form(*FIELDS)
        sent = {name: form.fields[name].values[0] for name in FIELDS} | {"text": text}
        answer = browser.save_quietly(self._draft_url(), sent)
        if "revision" not in answer:
            raise browser.unexpected(f"autosave answered {answer}")
        return bool(answer.get("worried"))

    def _return_to_the_draft(self) -> None:
        text = "I will finish this on my phone."
        self._save_a_draft(text)
        self.bot.change_device()
        self.bot.at(State.WRITING)
        self._expect_draft(text)

    def _worry(self) -> None:
        """What worries the screen brings help at once, blocks nothing, and stays on the page."""
        if not self._save_a_draft(words.WORRYING):
            raise self.bot.browser.unexpected("autosave did not notice what should worry it")
        browser = self.bot.browser
        browser.open(browser.page.url)
        support = browser.page.main.first(id="support")
        if support is None or "hidden" in support.attrs:
            raise browser.unexpected("the page does not show that it cares")
        self._expect_draft(words.WORRYING)

    def _expect_draft(self, text: str) -> None:
        browser = self.bot.browser
        if browser.form(*FIELDS).fields["text"].values != (text,):
            raise browser.unexpected("the draft is not the one that was saved")
