"""A scripted rewriter, a study that uses it, and one reply's requests through the real services."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from django.test import Client
from django.urls import reverse

from feedback.models import FeedbackRequest
from feedback.services import requests, work
from ml.text import sentences
from ml.types import Edit, Proposal, Release, Score
from tests import builders
from trial.models import Reply

SCORE = Score(levels=(1, 0, 0), probabilities=((0.2, 0.7, 0.1), (0.9, 0.1, 0.0), (1.0, 0.0, 0.0)))
SORRY = "I'm so sorry to hear that!"
STRUGGLE = "It must be a real struggle!"
DRAFT = "Don't worry! I'm there for you."
RELEASE = Release("scripted", "1", "0" * 64)
PAGE = "/study/hailey/writing/"
HTMX = {"HX-Request": "true"}
Answer = Callable[[str, int, Collection[str]], Proposal]


def insert(index: int, new: str = SORRY) -> Edit:
    return Edit("insert", index, "", new, 1.0, 2.0)


def replace(index: int, old: str, new: str = STRUGGLE) -> Edit:
    return Edit("replace", index, old, new, 1.0, 2.5)


def suggesting(*edits: Edit) -> Proposal:
    return Proposal(outcome="suggestions", before=SCORE, edits=edits, seconds=0.01, parameters={"candidates": 4})


def one_of_each(reply: str, seed: int, exclude: Collection[str]) -> Proposal:
    """Replace the first sentence and add one at the end; other words after a reload."""
    found = sentences(reply)
    new, old = (f"{STRUGGLE[:-1]} again!", f"{SORRY[:-1]} again!") if exclude else (STRUGGLE, SORRY)
    edits = [replace(0, found[0].text, new)] if found else []
    return suggesting(*edits, insert(len(found), old))


@dataclass
class Scripted:
    """A rewriter that answers what the test says."""

    answer: Answer = one_of_each
    calls: list[tuple[str, str, int, set[str]]] = field(default_factory=list)
    release: Release = RELEASE
    ahead: Callable[[str], None] = lambda _: None
    prepared: list[str] = field(default_factory=list)

    def propose(self, post: str, reply: str, *, seed: int, exclude: Collection[str] = (), limit: int = 3) -> Proposal:
        self.calls.append((post, reply, seed, set(exclude)))
        return self.answer(reply, seed, exclude)

    def prepare(self, post: str) -> None:
        self.prepared.append(post)
        self.ahead(post)


def protocol_with(folder: Path, **policy: object) -> Path:
    """A copy of the HAILEY study with another feedback policy, no review, ten posts and one country."""
    shutil.copytree(builders.HAILEY, folder)
    protocol, crisis = folder / "protocol.yaml", folder / "crisis.yaml"
    document, places = yaml.safe_load(protocol.read_text()), yaml.safe_load(crisis.read_text())
    del document["feedback"]["reviewed"]  # of posts that are not kept
    document["feedback"] |= policy
    protocol.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False))
    crisis.write_text(yaml.safe_dump(places | {"countries": places["countries"][:1]}, allow_unicode=True))
    _keep_first_posts(folder / "posts.csv", document["writing"]["per_participant"])
    return folder


def _keep_first_posts(file: Path, number: int) -> None:
    with file.open(newline="") as source:
        rows = list(csv.reader(source))
    with file.open("w", newline="") as target:
        csv.writer(target).writerows(rows[: number + 1])


_keys = iter(range(10_000_000))


def asked(reply: Reply, text: str = DRAFT) -> FeedbackRequest:
    return requests.ask(reply=reply, text=text, key=f"key-{next(_keys):08}")


def answered(reply: Reply, text: str = DRAFT) -> FeedbackRequest:
    """A request on the text, worked off and shown."""
    request = asked(reply, text)
    work.work_queue()
    request.refresh_from_db()
    requests.record_shown(request)
    return request


def form(reply: Reply, text: str = DRAFT, **more: object) -> dict[str, object]:
    """What the writing page's form posts."""
    reply.refresh_from_db()
    return {
        "text": text,
        "revision": reply.revision,
        "position": reply.position,
        "window": "this-window",
        "key": f"key-{next(_keys):08}",
        **more,
    }


def ask_url(reply: Reply) -> str:
    return reverse("feedback:ask", args=[reply.pk])


def accept_url(request: FeedbackRequest, op: str) -> str:
    return reverse("feedback:accept", args=[request.suggestions.get(op=op).pk])


def page(client: Client) -> str:
    response = client.get(PAGE)
    assert response.status_code == 200
    return str(response.content.decode())


def state_of(html: str) -> str:
    found = re.search(r'data-help="(\w+)"', html)
    assert found, html
    return found[1]
