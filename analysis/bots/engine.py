"""A browser for bots: cookies, CSRF, redirects and an address of its own, and it trusts no page it gets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from django.conf import settings
from django.test import Client

from analysis.bots.pages import Answer, Button, Form, FormError, Node, forms, parse

MAX_HOPS = 8
EXCERPT = 400
URLENCODED = "application/x-www-form-urlencoded"
CRISIS_BAR = re.compile(r'<details[^>]*\bid="crisis".*?(?=<main\b)', re.DOTALL)
ANY_ARM = ("control group", "treatment group", "control arm", "treatment arm", "intervention group")


class UnexpectedPageError(Exception):
    """A page is not the one that should be here, or lacks what should be on it."""


@dataclass(frozen=True)
class Page:
    """One answer of the site. The crisis bar is looked for, then left out of the tree for speed."""

    url: str
    status: int
    html: str
    headers: Mapping[str, str]

    @cached_property
    def root(self) -> Node:
        return parse(CRISIS_BAR.sub("", self.html, count=1))

    @cached_property
    def main(self) -> Node:
        return self.root.first("main") or self.root

    @cached_property
    def forms(self) -> list[Form]:
        """The forms of the page's main part."""
        return forms(self.main)

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def has_crisis_bar(self) -> bool:
        return CRISIS_BAR.search(self.html) is not None

    @property
    def says(self) -> str:
        return self.main.shown_text()

    @property
    def excerpt(self) -> str:
        """What to quote of it: its warnings, then how it begins."""
        if not self.html:
            return ""
        warnings = [node.shown_text() for node in self.main.all(role="alert")]
        return " | ".join([*warnings, self.says])[:EXCERPT]


class Browser:
    """One device of one bot. `step` is what the bot is doing, for the message when it goes wrong."""

    def __init__(self, bot: str, *, address: str, arm_words: tuple[str, ...] = ()) -> None:
        self.bot = bot
        self.address = address
        self.step = "arriving"
        self.page = Page("", 0, "", {})
        self.pages_seen = 0
        words = sorted({*ANY_ARM, *(word.lower() for word in arm_words)})
        self._arm_words = re.compile(r"\b(?:" + "|".join(map(re.escape, words)) + r")\b", re.IGNORECASE)
        self._client = Client(
            enforce_csrf_checks=True,
            headers={"user-agent": "Attune simulation", "accept-language": "en-GB"},
            REMOTE_ADDR=address,
            HTTP_X_FORWARDED_FOR=address,
            SERVER_NAME=_host(),
        )

    @property
    def session(self) -> Any:
        return self._client.session

    # --- What people do --------------------------------------------------------------------

    def open(self, url: str, *, status: int = 200) -> Page:
        """Go to an address, follow redirects, and check the page that comes."""
        return self._arrive(url, self._request("get", url), status)

    def submit(
        self,
        form: Form,
        answers: Mapping[str, Answer] | None = None,
        *,
        button: Button | None = None,
        status: int = 200,
        twice: bool = False,
    ) -> Page:
        """Fill a form, send it by a button (the first, if none is named), and check what comes.

        `twice`: send the very same a second time, as an impatient finger does.
        """
        try:
            button = button or form.button()
            sent = urlencode(form.filled(answers or {}, button))
        except FormError as error:
            raise self.unexpected(str(error)) from error
        target = urljoin(self.page.url, button.action or form.action or self.page.url)
        page = self._arrive(target, self._post(target, sent), status)
        return self._arrive(target, self._post(target, sent), status) if twice else page

    def fragment(self, url: str) -> tuple[Node, Mapping[str, str]]:
        """What the page's script fetches while it waits: a part of a page, marked as one."""
        response = self._request("get", url, HTTP_HX_REQUEST="true")
        html = _decoded(response)
        if response.status_code != 200 or "X-Fragment" not in response.headers:
            self.page = Page(url, response.status_code, html, response.headers)
            raise self.unexpected("expected a fragment of a page")
        return parse(html), response.headers

    def save_quietly(self, url: str, sent: Mapping[str, str]) -> dict[str, Any]:
        """Post to an address that answers with JSON, as autosave does; the answer."""
        token = self._client.cookies[settings.CSRF_COOKIE_NAME].value
        response = self._post(url, urlencode(sent), HTTP_X_CSRFTOKEN=token)
        if response.status_code != 200 or "json" not in response.headers["Content-Type"]:
            self.page = Page(url, response.status_code, _decoded(response), response.headers)
            raise self.unexpected("expected JSON")
        answer: dict[str, Any] = json.loads(response.content)
        return answer

    # --- What they expect ------------------------------------------------------------------

    def expect(self, path: str) -> Page:
        """The page that we are on has this path."""
        if self.page.path != path:
            raise self.unexpected(f"expected {path}")
        return self.page

    def form(self, *fields: str, only: bool = True) -> Form:
        """The page's main form, which has these fields and a button to send it.

        With `only`, the page must have no other form.
        """
        found = [form for form in self.page.forms if set(fields) <= set(form.fields)]
        if not found or (only and len(self.page.forms) != 1):
            raise self.unexpected(
                f"expected one form with {', '.join(fields) or 'a button'}; "
                f"there are {[list(form.fields) for form in self.page.forms]}"
            )
        if found[0].method != "post" or not found[0].buttons:
            raise self.unexpected("the form cannot be sent")
        if "csrfmiddlewaretoken" not in found[0].fields:
            raise self.unexpected("the form has no CSRF token")
        return found[0]

    def link(self, words: str) -> str:
        """Where the link with these words leads."""
        for node in self.page.root.all("a"):
            if words.lower() in node.text.lower():
                return urljoin(self.page.url, node.attrs.get("href", ""))
        raise self.unexpected(f"expected a link that says {words!r}")

    def says(self, words: str) -> None:
        if words.lower() not in self.page.says.lower():
            raise self.unexpected(f"expected the page to say {words!r}")

    def unexpected(self, why: str) -> UnexpectedPageError:
        page = self.page
        return UnexpectedPageError(
            f"bot {self.bot}, step {self.step}: {why}\n  at {page.url} (status {page.status}): {page.excerpt}"
        )

    # --- The wire --------------------------------------------------------------------------

    def _post(self, url: str, body: str, **headers: str) -> Any:
        return self._request("post", url, data=body, content_type=URLENCODED, **headers)

    def _request(self, method: str, url: str, **more: Any) -> Any:
        if self.page.url:
            more["HTTP_REFERER"] = f"{_scheme()}://{_host()}{self.page.path}"
        try:
            return getattr(self._client, method)(url, secure=_scheme() == "https", **more)
        except Exception as error:
            self.page = Page(url, 500, "", {})
            raise self.unexpected(f"the site broke: {type(error).__name__}: {error}") from error

    def _arrive(self, url: str, response: Any, status: int) -> Page:
        for _ in range(MAX_HOPS):
            if not 300 <= response.status_code < 400:
                break
            url = self._next(url, response.headers["Location"])
            response = self._request("get", url)
        else:
            raise self.unexpected(f"redirected in a circle, last to {url}")
        self.page = Page(url, response.status_code, _decoded(response), response.headers)
        self.pages_seen += 1
        self._check(status)
        return self.page

    def _next(self, url: str, location: str) -> str:
        target = urljoin(url, location)
        if urlsplit(target).netloc not in ("", _host()):
            raise self.unexpected(f"redirected away from the site, to {target}")
        return target

    def _check(self, status: int) -> None:
        """What must hold on every page whatever it is for."""
        page = self.page
        if page.status != status:
            raise self.unexpected(f"expected status {status}")
        if not page.headers.get("Content-Type", "").startswith("text/html"):
            raise self.unexpected("expected a page of HTML")
        if not page.has_crisis_bar:
            raise self.unexpected("the crisis bar is missing")
        told = self._arm_words.search(page.root.text)
        if told:
            raise self.unexpected(f"the page tells an arm: {told.group()!r}")


def _host() -> str:
    """A host name that the settings allow."""
    plain = [host for host in settings.ALLOWED_HOSTS if not host.startswith(("*", ".", "["))]
    return plain[0] if plain else "localhost"


def _scheme() -> str:
    return "https" if settings.SECURE_SSL_REDIRECT else "http"


def _decoded(response: Any) -> str:
    return "" if response.streaming else str(response.content.decode(response.charset))
