"""One participant in a browser, page by page, with a check on every page they meet."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from tests import builders
from trial.protocol import Item, Survey, read_protocol

SHOTS = os.environ.get("ATTUNE_SCREENSHOTS", "")
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
PROTOCOL = read_protocol(builders.HAILEY)
UNANSWERED = {one.post for one in PROTOCOL.feedback.reviewed if not one.sentences}
SILENT = [post.text for post in PROTOCOL.posts if hashlib.sha256(post.text.encode()).hexdigest() in UNANSWERED]
_seen: set[str] = set()


class Journey:
    """A participant at a phone. `problems` gathers console errors and failed accessibility rules."""

    def __init__(self, context: BrowserContext, site: str, name: str) -> None:
        self.site, self.name = site, name
        self.page: Page = context.new_page()
        self.problems: list[str] = []
        self.email = f"{name}-{secrets.token_hex(4)}@example.org"
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))

    def _on_console(self, message: object) -> None:
        if getattr(message, "type", "") == "error":
            self.problems.append(f"console: {getattr(message, 'text', '')} on {self.page.url}")

    def look(self, shot: str) -> None:
        """Every page: crisis resources; once per page: no accessibility violation, nothing too wide."""
        expect(self.page.locator("#crisis")).to_be_visible()
        if shot in _seen:
            return
        _seen.add(shot)
        found = Axe().run(self.page, options=WCAG).response["violations"]
        self.problems += [f"axe {self.page.url}: {v['id']} {v['nodes'][0]['html'][:120]}" for v in found]
        width = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if width > 0:
            self.problems.append(f"{self.page.url} is {width} px too wide")
        if SHOTS:
            self.page.screenshot(path=Path(SHOTS) / f"{shot}.png", full_page=True)

    def click(self, text: str) -> None:
        self.page.get_by_role("button", name=text, exact=True).or_(
            self.page.get_by_role("link", name=text, exact=True)
        ).first.click()

    # --- steps ---------------------------------------------------------------------------

    def begin(self) -> None:
        self.page.goto(f"{self.site}/study/hailey/")
        self.look("landing")
        self.click("Take part")

    def screen(self, **changes: str) -> None:
        given: dict[str, object] = {rule.item: rule.values[0] for rule in PROTOCOL.eligibility.rules if rule.values}
        self.look("screening")
        self.fill(PROTOCOL.eligibility.survey, given | {"age": "34"} | changes)
        self.click("Continue")

    def consent(self) -> None:
        self.look("consent")
        for statement in PROTOCOL.consent.statements:
            self.page.locator(f"[name={statement.code}]").check()
        self.click("I agree to take part")

    def sign_up(self) -> None:
        self.look("account")
        self.click("Continue with e-mail")
        self.look("sign-up")
        self.page.locator("[name=email]").fill(self.email)
        self.page.locator("main form button[type=submit]").first.click()
        self.look("code")
        self.enter_code()

    def enter_code(self) -> None:
        self.page.locator("[name=code]").fill(self.code())
        self.page.locator("main form button[type=submit]").first.click()

    def code(self) -> str:
        mailbox = self.page.context.new_page()
        mailbox.goto(f"{self.site}/demo/mail/")
        mail = mailbox.locator("article", has_text=self.email).first
        code = mail.locator(".bigcode").inner_text()
        mailbox.close()
        return code

    def fill(self, survey: Survey, given: dict[str, object] | None = None) -> None:
        for item in survey.items:
            if self.page.locator(f"[name={item.code}]").count():
                self._answer(item, (given or {}).get(item.code, builders.answer(item)))

    def _answer(self, item: Item, value: object) -> None:
        field = self.page.locator(f"[name={item.code}]")
        if item.kind in ("number", "text"):
            field.fill(str(value))
        elif field.first.evaluate("field => field.tagName") == "SELECT":
            field.select_option(str(value))
        elif item.kind == "multiple":
            self.page.locator(f"[name={item.code}][value={value[0]}]").check()  # type: ignore[index]
        else:
            self.page.locator(f'[name={item.code}][value="{value}"]').check()

    def survey(self, key: str) -> None:
        self.look(f"survey-{key}")
        self.fill(PROTOCOL.survey(key))
        self.click("Continue")

    def train(self) -> None:
        for number, page in enumerate(PROTOCOL.training, 1):
            self.look(f"training-{number}")
            if page.check:
                self.page.locator(f'[name=answer][value="{page.check.answer}"]').check()
            self.click("Continue")

    def instruct(self) -> None:
        self.look(f"instructions-{'feedback' if self.has_feedback_instructions() else 'control'}")
        self.click("Start writing")

    def has_feedback_instructions(self) -> bool:
        return "Insert" in self.page.locator("main").inner_text()

    @property
    def post_is_silent(self) -> bool:
        """Whether no suggestion was approved for the post on the page."""
        shown = " ".join(self.page.locator("main").inner_text().split())
        return any(" ".join(text.split()) in shown for text in SILENT)

    @property
    def has_panel(self) -> bool:
        return self.page.locator("#help").count() > 0

    def write(self, reply: Callable[[int], str]) -> None:
        total = PROTOCOL.writing.per_participant
        for number in range(1, total + 1):
            expect(self.page.get_by_text(f"Post {number} of {total}")).to_be_visible()
            self.page.locator("#id_text").fill(reply(number))
            self.click("Next")

    def finish(self) -> None:
        self.survey("post")
        self.look("debrief")
        self.click("Finish")
        self.look("completed")
        expect(self.page.get_by_text("You have completed the study")).to_be_visible()

    def reach_writing(self) -> None:
        self.begin()
        self.screen()
        self.consent()
        self.sign_up()
        self.survey("pre")
        self.train()
        self.instruct()
        expect(self.page).to_have_url(re.compile("/writing/$"))
