"""Every endpoint exists for the writer only, in the arm with feedback only, by its method only."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from feedback.models import FeedbackFlag, FeedbackRequest, Suggestion
from tests import builders
from tests.conftest import client_of
from tests.feedback.helpers import DRAFT, SORRY, answered, asked, form
from trial.models import Participant, Reply, Study
from trial.progress import State
from trial.services import replies, studies

POSTS = ("ask", "save", "flag", "accept")
ENDPOINTS = (*POSTS, "look")


@pytest.fixture
def urls(reply: Reply) -> dict[str, str]:
    """The endpoints of Alice's reply, with an answer on her page."""
    request = answered(reply)
    suggestion = request.suggestions.first()
    assert suggestion is not None
    urls = {name: reverse(f"feedback:{name}", args=[reply.pk]) for name in ("ask", "save", "flag")}
    urls["accept"] = reverse("feedback:accept", args=[suggestion.pk])
    urls["look"] = reverse("feedback:look", args=[request.pk])
    return urls


def call(client: Client, name: str, url: str, reply: Reply) -> int:
    if name == "look":
        return client.get(url, headers={"HX-Request": "true"}).status_code
    return client.post(url, form(reply, "An intruder's text.", flag_harmful="on")).status_code


def nothing_changed(reply: Reply) -> bool:
    reply.refresh_from_db()
    untouched = not Suggestion.objects.filter(accepted_at__isnull=False).exists()
    one = FeedbackRequest.objects.count() == 1
    return reply.text == DRAFT and untouched and one and not FeedbackFlag.objects.exists()


@pytest.mark.parametrize("name", ENDPOINTS)
def test_the_writer_is_served(alice: Participant, reply: Reply, urls: dict[str, str], name: str) -> None:
    assert call(client_of(alice), name, urls[name], reply) in (200, 302)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_another_participant_finds_nothing(hailey: Study, reply: Reply, urls: dict[str, str], name: str) -> None:
    other = builders.participant(hailey, intervention="feedback")
    assert call(client_of(other), name, urls[name], reply) == 404
    assert nothing_changed(reply)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_control_participant_finds_nothing(bob: Participant, reply: Reply, urls: dict[str, str], name: str) -> None:
    assert call(client_of(bob), name, urls[name], reply) == 404
    assert nothing_changed(reply)


@pytest.mark.parametrize("name", ["ask", "save", "flag"])
def test_a_control_participant_has_no_such_page_for_their_own_reply(bob: Participant, name: str) -> None:
    own = replies.current(bob)
    assert own is not None
    assert call(client_of(bob), name, reverse(f"feedback:{name}", args=[own.pk]), own) == 404
    own.refresh_from_db()
    assert own.text == ""


@pytest.mark.parametrize(
    "role", ["investigator", "rater", "statistician", "safety_officer", "monitor", "administrator"]
)
def test_no_role_of_the_study_team_finds_anything(reply: Reply, urls: dict[str, str], role: str) -> None:
    client = Client()
    client.force_login(builders.staff(role))
    assert [call(client, name, urls[name], reply) for name in ENDPOINTS] == [404] * 5
    assert nothing_changed(reply)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_nobody_logged_in_is_sent_to_the_door(reply: Reply, urls: dict[str, str], name: str) -> None:
    assert call(Client(), name, urls[name], reply) == 302
    assert nothing_changed(reply)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_the_wrong_method_is_refused(alice: Participant, reply: Reply, urls: dict[str, str], name: str) -> None:
    client = client_of(alice)
    wrong = client.post(urls[name]) if name == "look" else client.get(urls[name])
    assert wrong.status_code == 405
    assert nothing_changed(reply)


@pytest.mark.parametrize("name", POSTS)
@pytest.mark.parametrize("broken", [{"text": None}, {"revision": None}, {"revision": "-1"}, {"revision": "٣"}])
def test_a_broken_form_is_refused(
    alice: Participant, reply: Reply, urls: dict[str, str], name: str, broken: dict[str, str | None]
) -> None:
    data = {k: v for k, v in (form(reply, "New.") | broken).items() if v is not None}
    assert client_of(alice).post(urls[name], data).status_code == 400
    assert nothing_changed(reply)


@pytest.mark.parametrize("name", POSTS)
def test_nul_bytes_are_refused(alice: Participant, reply: Reply, urls: dict[str, str], name: str) -> None:
    assert client_of(alice).post(urls[name], form(reply, "a\0b")).status_code == 400
    assert nothing_changed(reply)


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "with space in it", "ключключ"])
def test_an_invalid_key_is_refused(alice: Participant, reply: Reply, urls: dict[str, str], key: str) -> None:
    assert client_of(alice).post(urls["ask"], form(reply, key=key)).status_code == 400
    assert nothing_changed(reply)


@pytest.mark.parametrize("name", POSTS)
def test_a_form_without_its_token_is_refused(alice: Participant, reply: Reply, urls: dict[str, str], name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    assert alice.user is not None
    client.force_login(alice.user)
    assert client.post(urls[name], form(reply, "New.")).status_code == 403
    assert nothing_changed(reply)


def test_unknown_numbers_are_not_found(alice: Participant, reply: Reply) -> None:
    client = client_of(alice)
    unknown = [
        client.post(reverse("feedback:ask", args=[10**6]), form(reply)),
        client.post(reverse("feedback:accept", args=[10**6]), form(reply)),
        client.get(reverse("feedback:look", args=[uuid.uuid4()])),
    ]
    assert [response.status_code for response in unknown] == [404] * 3


@pytest.mark.parametrize("name", POSTS)
def test_a_sent_reply_is_left_as_it_was_sent(alice: Participant, reply: Reply, urls: dict[str, str], name: str) -> None:
    replies.submit(reply=reply, text=DRAFT)
    response = client_of(alice).post(urls[name], form(reply, "Too late."), follow=True)
    assert response.status_code == 200
    assert "already been sent" in response.content.decode()
    assert nothing_changed(reply)


@pytest.mark.parametrize("name", POSTS)
def test_a_closed_study_takes_nothing_more(
    alice: Participant, hailey: Study, reply: Reply, urls: dict[str, str], name: str
) -> None:
    studies.act(study=hailey, name="close")
    assert client_of(alice).post(urls[name], form(reply, "Too late.")).status_code in (302, 409)
    assert nothing_changed(reply)


def test_feedback_is_not_offered_after_writing(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.POST_SURVEY, intervention="feedback")
    last = person.replies.get(position=1)
    client_of(person).post(reverse("feedback:ask", args=[last.pk]), form(last))
    assert not FeedbackRequest.objects.exists()


def test_a_waiting_request_of_another_reply_cannot_be_flagged(alice: Participant, reply: Reply) -> None:
    other = alice.replies.get(position=2)
    foreign = asked(other)
    data = form(reply, flag_harmful="on", feedback=foreign.pk)
    assert client_of(alice).post(reverse("feedback:flag", args=[reply.pk]), data).status_code == 404
    assert not FeedbackFlag.objects.exists()
    assert SORRY not in str(data)
