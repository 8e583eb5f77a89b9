"""One act in a process of its own: `python -m tests.integration.stage ACT ARGUMENTS`.

It says that it is ready, waits for the file GO_FILE, acts on the database in STATE_DIR, which
workers use too, and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import django

TEXT = "Hey 🫂 you'll get there.\n\n<b>Truly</b>."


def prepare(folder: str) -> dict[str, Any]:
    from django.core.management import call_command

    from tests import builders

    call_command("migrate", verbosity=0)
    call_command("createcachetable")
    study = builders.study(folder=Path(folder))
    person = builders.participant(study, intervention="feedback")
    return {"participant": person.pk}


def ask(participant: str, key: str, position: str = "1") -> dict[str, Any]:
    from feedback.services import requests
    from trial.models import Reply

    reply = Reply.objects.get(participant_id=int(participant), position=int(position))
    request = requests.ask(reply=reply, text=TEXT, key=key)
    return {"request": str(request.pk)}


def claim(worker: str) -> dict[str, Any]:
    """Everything this worker can get, one by one."""
    from feedback.services import work

    claimed: list[str] = []
    while found := work.claim(worker=worker):
        claimed += [str(request.pk) for request in found]
    return {"claimed": claimed}


def accept(request: str, order: str) -> dict[str, Any]:
    from feedback.models import Suggestion
    from feedback.services import requests

    suggestion = Suggestion.objects.get(request=request, order=int(order))
    return {"text": requests.accept(suggestion=suggestion, text=TEXT, revision=1, window="w").text}


def work_off() -> dict[str, Any]:
    import tests.integration.slow_worker  # noqa: F401 - registers its rewriter
    from feedback.services import work

    return {"done": work.work_queue()}


def newcomer(intervention: str) -> dict[str, Any]:
    """Somebody new at their first post, and a session cookie of theirs."""
    from itertools import count

    from django.test import Client

    from tests import builders
    from trial.models import Study, User

    builders._numbers = count(User.objects.count() + 1)
    person = builders.participant(Study.objects.get(), intervention=intervention)
    assert person.user is not None
    client = Client()
    client.force_login(person.user)
    return {"participant": person.pk, "session": client.cookies["sessionid"].value}


def visit(participant: str) -> dict[str, Any]:
    """What a web process does for one participant, and which model libraries it has loaded by then."""
    from django.test import Client

    from trial.models import Participant

    person = Participant.objects.get(pk=int(participant))
    reply = person.replies.get(position=1)
    assert person.user is not None
    client = Client(HTTP_HOST="localhost")
    client.force_login(person.user)
    form = {"text": TEXT, "revision": 0, "position": 1, "window": "w", "key": "tap-of-the-visit"}
    answers = [
        client.get("/study/hailey/writing/"),
        client.post(f"/feedback/replies/{reply.pk}/ask/", form, headers={"HX-Request": "true"}),
        client.get("/study/hailey/writing/"),
        client.get("/study/hailey/"),
    ]
    heavy = [name for name in ("torch", "transformers", "ctranslate2") if name in sys.modules]
    return {"statuses": [answer.status_code for answer in answers], "heavy": heavy}


def requests_of(participant: str) -> dict[str, Any]:
    from feedback.models import FeedbackRequest

    found = FeedbackRequest.objects.filter(reply__participant_id=int(participant))
    return {"requests": [str(request.pk) for request in found]}


def state(request: str) -> dict[str, Any]:
    from feedback.models import FeedbackRequest

    row = FeedbackRequest.objects.get(pk=request)
    return {
        "status": row.status,
        "error": row.error,
        "attempts": row.attempts,
        "suggestions": [s.new for s in row.suggestions.all()],
        "text": row.reply.text,
    }


ACTS = {act.__name__: act for act in (prepare, ask, claim, accept, work_off, newcomer, visit, requests_of, state)}


def wait_for_go() -> None:
    print("ready", flush=True)
    go = Path(os.environ["GO_FILE"])
    while not go.exists():
        time.sleep(0.001)


if __name__ == "__main__":
    django.setup()
    wait_for_go()
    print(json.dumps(ACTS[sys.argv[1]](*sys.argv[2:])))  # type: ignore[operator]
