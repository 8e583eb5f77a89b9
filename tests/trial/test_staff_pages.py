"""Staff pages: each role reaches its own, nobody else's, and none tells an arm."""

from __future__ import annotations

from itertools import pairwise

import pytest
from django.test import Client
from django.urls import reverse

from tests import builders
from trial import dashboard
from trial.models import AuditEvent, SafetyEvent, Study
from trial.permissions import ROLES
from trial.progress import State
from trial.services import flow, replies, studies, withdrawal


def client_for(*roles: str) -> Client:
    client = Client()
    client.force_login(builders.staff(*roles))
    return client


PAGES = {
    "trial:dashboard": {"investigator", "monitor"},
    "trial:safety_events": {"safety_officer"},
}


@pytest.mark.parametrize("role", list(ROLES))
@pytest.mark.parametrize("name", list(PAGES))
def test_each_role_reaches_its_own_pages_only(hailey: Study, role: str, name: str) -> None:
    answer = client_for(role).get(reverse(name, args=[hailey.slug]))
    assert answer.status_code == (200 if role in PAGES[name] else 403)


@pytest.mark.parametrize("name", ["trial:dashboard", "trial:safety_events"])
def test_participants_and_strangers_reach_none(hailey: Study, alice, name: str) -> None:
    client = Client()
    assert client.get(reverse(name, args=[hailey.slug])).status_code == 302
    client.force_login(alice.user)
    assert client.get(reverse(name, args=[hailey.slug])).status_code == 403


def test_the_funnel_adds_up(hailey: Study) -> None:
    for state in (State.SCREENING, State.CONSENT, State.WRITING, State.WRITING, State.COMPLETED):
        builders.participant(hailey, state=state)
    declined = builders.participant(hailey, state=State.CONSENT)
    flow.decide_consent(participant=declined, agreed=False)
    withdrawal.withdraw(participant=builders.participant(hailey), kind="stop")
    steps = dashboard.funnel(hailey, simulated=False)
    for step, following in pairwise(steps):
        assert step.reached == step.here + step.left + following.reached
    by_state = {step.state: step for step in steps}
    assert by_state[State.SCREENING].reached == 7
    assert by_state[State.CONSENT].left == 1
    assert by_state[State.WRITING].left == 1
    assert by_state[State.COMPLETED].reached == 1


def test_enrolment_counts_the_allocated(hailey: Study) -> None:
    for state in (State.TRAINING, State.INSTRUCTIONS, State.WRITING):
        builders.participant(hailey, state=state)
    enrolment = dashboard.enrolment(hailey, simulated=False)
    assert (enrolment.total, enrolment.target) == (2, hailey.protocol.target)
    assert enrolment.points


def test_no_staff_page_tells_an_arm(hailey: Study) -> None:
    one = builders.participant(hailey, intervention="feedback")
    two = builders.participant(hailey, intervention="none")
    for person in (one, two):
        replies.save_draft(reply=replies.current(person), text="I want to kill myself.")
    client = client_for("investigator", "safety_officer", "rater", "administrator")
    events = SafetyEvent.objects.order_by("pk")
    urls = [reverse("trial:staff"), reverse("trial:dashboard", args=["hailey"])]
    urls += [reverse("trial:safety_events", args=["hailey"])]
    urls += [reverse("trial:safety_event", args=["hailey", event.pk]) for event in events]
    for url in urls:
        page = client.get(url).content.decode()
        for telling in ("Human + AI", "Human only", ">a1<", ">a0<", "treatment", "control"):
            assert telling not in page, (url, telling)


def test_the_two_safety_pages_differ_in_nothing_but_the_person(hailey: Study) -> None:
    people = [builders.participant(hailey, intervention=name) for name in ("feedback", "none")]
    texts = []
    client = client_for("safety_officer")
    for person in people:
        reply = replies.save_draft(reply=replies.current(person), text="I want to kill myself.")
        event = SafetyEvent.objects.get(participant=person)
        page = client.get(reverse("trial:safety_event", args=["hailey", event.pk])).content.decode()
        main = page.split("<main", 1)[1].split("</main>")[0]
        for own in (person.code, reply.post.text, event.at.strftime("%H:%M")):
            main = main.replace(own, "")
        texts.append(
            [line for line in main.splitlines() if "csrfmiddlewaretoken" not in line and '<p class="post">' not in line]
        )
    assert texts[0] == texts[1]


@pytest.mark.parametrize("act", ["pause", "close"])
def test_an_investigator_changes_the_state_after_typing_the_name(hailey: Study, act: str) -> None:
    client = client_for("investigator")
    url = reverse("trial:act", args=["hailey"])
    client.post(url, {"act": act, "confirm": "halley"})
    hailey.refresh_from_db()
    assert hailey.state == Study.State.OPEN
    client.post(url, {"act": act, "confirm": "hailey"})
    hailey.refresh_from_db()
    assert hailey.state == studies.ACTS[act][1]
    assert AuditEvent.objects.filter(action=f"study.{act}").exclude(actor_id="").count() == 1


@pytest.mark.parametrize("act", ["lock", "open", "delete", ""])
def test_an_act_out_of_turn_is_refused(hailey: Study, act: str) -> None:
    client = client_for("investigator")
    client.post(reverse("trial:act", args=["hailey"]), {"act": act, "confirm": "hailey"})
    hailey.refresh_from_db()
    assert hailey.state == Study.State.OPEN


@pytest.mark.parametrize("role", ["statistician", "safety_officer", "monitor", "rater"])
def test_other_roles_cannot_change_the_state(hailey: Study, role: str) -> None:
    answer = client_for(role).post(reverse("trial:act", args=["hailey"]), {"act": "pause", "confirm": "hailey"})
    assert answer.status_code == 403


def test_acts_refuse_get(hailey: Study) -> None:
    assert client_for("investigator").get(reverse("trial:act", args=["hailey"])).status_code == 405


def test_a_safety_event_is_acknowledged_once_with_a_note(hailey: Study) -> None:
    person = builders.participant(hailey)
    replies.save_draft(reply=replies.current(person), text="I want to kill myself.")
    event = SafetyEvent.objects.get()
    client = client_for("safety_officer")
    url = reverse("trial:safety_event", args=["hailey", event.pk])
    assert client.post(url, {"note": ""}).status_code == 400
    client.post(url, {"note": "Wrote to the person."})
    client.post(url, {"note": "Second thoughts"})
    event.refresh_from_db()
    assert event.note == "Wrote to the person."
    assert AuditEvent.objects.filter(action="safety.acknowledged").count() == 1
