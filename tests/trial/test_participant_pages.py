"""The participant's pages over HTTP: each works, and each refuses the wrong person, method and input."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from tests import builders
from tests.conftest import client_of
from trial.models import Participant, Reply, Study
from trial.progress import PAGES, WAY, State
from trial.services import replies, studies
from trial.views.guards import SESSION_KEY

OWNED = [state for state in WAY if state not in (State.SCREENING, State.CONSENT, State.ACCOUNT)]


def url(state: State, study: Study) -> str:
    return reverse(PAGES[state], args=[study.slug])


def begun(study: Study) -> Client:
    client = Client()
    client.post(reverse("trial:landing", args=[study.slug]))
    return client


def screened(study: Study) -> Client:
    client = begun(study)
    client.post(url(State.SCREENING, study), builders.eligible_answers(study))
    return client


def test_a_stranger_goes_from_the_door_to_the_account_page(hailey: Study) -> None:
    client = screened(hailey)
    ticks = {statement.code: "on" for statement in hailey.protocol.consent.statements}
    answer = client.post(url(State.CONSENT, hailey), ticks | {"decision": "agree"}, follow=True)
    assert answer.redirect_chain[-1][0] == url(State.ACCOUNT, hailey)
    assert reverse("account_signup") in answer.content.decode()


def test_the_door_is_closed_when_the_study_is_paused(hailey: Study) -> None:
    studies.act(study=hailey, name="pause")
    answer = Client().post(reverse("trial:landing", args=[hailey.slug]), follow=True)
    assert "not taking new participants" in answer.content.decode()
    assert not Participant.objects.exists()


def test_beginning_twice_in_one_browser_begins_once(hailey: Study) -> None:
    client = begun(hailey)
    client.post(reverse("trial:landing", args=[hailey.slug]))
    assert Participant.objects.count() == 1


def test_missing_screening_answers_are_asked_for_again_with_the_others_kept(hailey: Study) -> None:
    client = begun(hailey)
    answer = client.post(url(State.SCREENING, hailey), {"age": "41"})
    assert answer.status_code == 400
    assert 'value="41"' in answer.content.decode()
    assert Participant.objects.get().state == State.SCREENING


@pytest.mark.parametrize("age", ["-1", "abc", "1e9", "999999999999999999999"])
def test_a_nonsense_age_is_refused(hailey: Study, age: str) -> None:
    client = begun(hailey)
    answer = client.post(url(State.SCREENING, hailey), builders.eligible_answers(hailey) | {"age": age})
    assert answer.status_code == 400


def test_somebody_not_safe_is_pointed_at_help_and_not_enrolled(hailey: Study) -> None:
    client = begun(hailey)
    rule = next(rule for rule in hailey.protocol.eligibility.rules if rule.safety)
    unmet = next(
        option.value
        for option in hailey.protocol.eligibility.survey.item(rule.item).options
        if option.value not in rule.values
    )
    given = builders.eligible_answers(hailey) | {rule.item: unmet}
    answer = client.post(url(State.SCREENING, hailey), given, follow=True)
    assert rule.reason in answer.content.decode().replace("&#x27;", "'")
    assert "You do not have to be alone" in answer.content.decode()


def test_consent_needs_every_statement(hailey: Study) -> None:
    client = screened(hailey)
    first = hailey.protocol.consent.statements[0].code
    answer = client.post(url(State.CONSENT, hailey), {first: "on", "decision": "agree"})
    assert answer.status_code == 400
    assert Participant.objects.get().state == State.CONSENT


def test_declining_ends_kindly_and_another_person_may_begin(hailey: Study) -> None:
    client = screened(hailey)
    answer = client.post(url(State.CONSENT, hailey), {"decision": "decline"}, follow=True)
    assert "perfectly fine" in answer.content.decode()
    client.post(reverse("trial:forget", args=[hailey.slug]))
    client.post(reverse("trial:landing", args=[hailey.slug]))
    assert Participant.objects.count() == 2


@pytest.mark.parametrize("state", OWNED)
def test_every_page_leads_a_stranger_to_the_door(hailey: Study, state: State) -> None:
    answer = Client().get(url(state, hailey))
    assert answer.status_code == 302
    assert answer.url == reverse("trial:landing", args=[hailey.slug])


@pytest.mark.parametrize("state", list(WAY))
def test_every_page_sends_a_participant_to_where_they_are(alice: Participant, state: State) -> None:
    answer = client_of(alice).get(url(state, alice.study))
    if state == State.WRITING:
        assert answer.status_code == 200
    else:
        assert answer.url == url(State.WRITING, alice.study)


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_every_page_refuses_other_methods(alice: Participant, method: str) -> None:
    answer = getattr(client_of(alice), method)(url(State.WRITING, alice.study))
    assert answer.status_code == 405


def test_the_study_team_cannot_take_part(hailey: Study) -> None:
    client = Client()
    client.force_login(builders.staff("investigator"))
    client.post(reverse("trial:landing", args=[hailey.slug]))
    assert not Participant.objects.exists()
    assert client.get(url(State.WRITING, hailey)).status_code == 404


def test_a_half_filled_survey_is_saved_and_comes_back_on_another_device(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.PRE_SURVEY)
    item = next(i for i in hailey.protocol.surveys["pre"].items if i.kind == "single")
    chosen = item.options[1].value
    client_of(person).post(url(State.PRE_SURVEY, hailey), {item.code: chosen, "action": "save"})
    page = client_of(person).get(url(State.PRE_SURVEY, hailey)).content.decode()
    assert re.search(rf'name="{item.code}" value="{chosen}"[^>]*checked', page)


def test_a_whole_survey_leads_on(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.PRE_SURVEY)
    given = builders.answers(hailey.protocol.surveys["pre"])
    answer = client_of(person).post(url(State.PRE_SURVEY, hailey), given | {"action": "next"})
    assert answer.url == url(State.TRAINING, hailey)


def test_the_country_answer_puts_its_helplines_first(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.PRE_SURVEY)
    given = builders.answers(hailey.protocol.surveys["pre"]) | {"country": "ie"}
    client = client_of(person)
    client.post(url(State.PRE_SURVEY, hailey), given)
    page = client.get(url(State.TRAINING, hailey)).content.decode()
    assert page.index("Ireland") < page.index("Argentina")


def test_a_wrong_training_answer_explains_and_asks_again(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.TRAINING)
    client, pages = client_of(person), hailey.protocol.training
    for page in pages:
        if page.check:
            break
        client.post(url(State.TRAINING, hailey), {"page": page.code})
    wrong = next(o.value for o in page.check.options if o.value != page.check.answer)
    answer = client.post(url(State.TRAINING, hailey), {"page": page.code, "answer": wrong})
    assert "Not quite" in answer.content.decode()
    person.refresh_from_db()
    assert pages[person.training_page] == page


def test_an_old_training_page_sent_again_skips_nothing(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.TRAINING)
    first = hailey.protocol.training[0]
    client = client_of(person)
    for _ in range(3):
        client.post(
            url(State.TRAINING, hailey),
            {"page": first.code, "answer": first.check.answer if first.check else ""},
        )
    person.refresh_from_db()
    assert person.training_page == 1


def send(client: Client, person: Participant, text: str, **changes: str | int):
    reply = replies.current(person)
    fields = {
        "position": reply.position,
        "revision": reply.revision,
        "window": "w",
        "text": text,
        "action": "next",
    }
    return client.post(url(State.WRITING, person.study), fields | changes)


def test_a_reply_is_sent_and_the_next_post_comes(alice: Participant) -> None:
    answer = send(client_of(alice), alice, "That sounds so heavy. What has helped before?")
    assert answer.url == url(State.WRITING, alice.study)
    assert alice.replies.submitted().get().position == 1


def test_a_replayed_reply_is_not_taken_for_the_next_post(alice: Participant) -> None:
    client = client_of(alice)
    send(client, alice, "First.")
    send(client, alice, "First.", position=1)
    assert list(alice.replies.submitted().values_list("position", "text")) == [(1, "First.")]


@pytest.mark.parametrize("text", ["", "   ", "x" * 20_000])
def test_bad_replies_are_explained_and_nothing_typed_is_lost(alice: Participant, text: str) -> None:
    answer = send(client_of(alice), alice, text)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()
    assert text.strip() in answer.content.decode()
    assert not alice.replies.submitted().exists()


def test_html_in_a_reply_is_shown_as_text(alice: Participant) -> None:
    client = client_of(alice)
    fields = {"position": 1, "revision": 0, "window": "w", "text": "<script>alert(1)</script>"}
    assert client.post(reverse("trial:draft", args=[alice.study.slug]), fields).status_code == 200
    page = client.get(url(State.WRITING, alice.study)).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_two_windows_the_second_is_told_and_keeps_its_text(alice: Participant) -> None:
    client = client_of(alice)
    replies.save_draft(reply=replies.current(alice), text="From the phone", revision=0, window="phone")
    answer = send(client, alice, "From the laptop", revision=0, window="laptop")
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "From the laptop" in page
    assert "From the phone" in page


@pytest.mark.parametrize("value", ["", "-1", "x", "9" * 30, "١"])
def test_nonsense_positions_are_not_an_error(alice: Participant, value: str) -> None:
    answer = send(client_of(alice), alice, "Hello", position=value)
    assert answer.status_code == 302
    assert not alice.replies.submitted().exists()


def test_autosave_answers_the_new_revision(alice: Participant) -> None:
    draft = reverse("trial:draft", args=[alice.study.slug])
    answer = client_of(alice).post(draft, {"position": 1, "revision": 0, "window": "w", "text": "So far"})
    assert answer.json() == {"revision": 1, "worried": False}
    assert Reply.objects.get(participant=alice, position=1).text == "So far"


def test_autosave_says_so_when_the_screen_is_worried(alice: Participant) -> None:
    draft = reverse("trial:draft", args=[alice.study.slug])
    fields = {"position": 1, "revision": 0, "window": "w", "text": "I want to kill myself."}
    client = client_of(alice)
    assert client.post(draft, fields).json()["worried"] is True
    assert (
        '<aside id="support" class="notice warning" role="status">'
        in client.get(url(State.WRITING, alice.study)).content.decode()
    )


@pytest.mark.parametrize(("position", "status"), [(2, 200), (99, 404), ("x", 404)])
def test_autosave_of_an_unknown_reply_is_refused(alice: Participant, position: object, status: int) -> None:
    draft = reverse("trial:draft", args=[alice.study.slug])
    assert client_of(alice).post(draft, {"position": position, "text": "a"}).status_code == status


def test_autosave_refuses_get(alice: Participant) -> None:
    assert client_of(alice).get(reverse("trial:draft", args=[alice.study.slug])).status_code == 405


def test_leaving_is_possible_from_every_step(hailey: Study) -> None:
    for state in OWNED[:-1]:
        person = builders.participant(hailey, state=state)
        answer = client_of(person).post(reverse("trial:withdraw", args=[hailey.slug]), {"kind": "stop"})
        assert answer.url == url(State.WITHDRAWN, hailey)
        person.refresh_from_db()
        assert person.state == State.WITHDRAWN


def test_after_erasing_the_page_says_so(alice: Participant) -> None:
    client = client_of(alice)
    answer = client.post(reverse("trial:withdraw", args=[alice.study.slug]), {"kind": "erase"}, follow=True)
    assert "have been erased" in answer.content.decode()


def test_leaving_needs_a_choice(alice: Participant) -> None:
    answer = client_of(alice).post(reverse("trial:withdraw", args=[alice.study.slug]), {"kind": "both"})
    assert answer.status_code == 400
    alice.refresh_from_db()
    assert alice.is_active


def test_a_closed_study_says_so_and_keeps_everything(alice: Participant) -> None:
    studies.act(study=alice.study, name="close")
    answer = client_of(alice).get(url(State.WRITING, alice.study))
    assert "This study has ended" in answer.content.decode()


def test_a_browser_that_began_cannot_reach_another_participant(hailey: Study, alice: Participant) -> None:
    client = begun(hailey)
    session = client.session
    session[SESSION_KEY] = alice.pk
    session.save()
    assert client.get(url(State.WRITING, hailey)).url == reverse("trial:landing", args=[hailey.slug])


def test_a_form_without_its_token_is_refused_with_crisis_resources(alice: Participant) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice.user)
    answer = send(client, alice, "Hello")
    assert answer.status_code == 403
    assert 'id="crisis"' in answer.content.decode()
    assert not alice.replies.submitted().exists()


def test_every_page_on_the_way_has_crisis_resources(hailey: Study) -> None:
    for state in OWNED:
        person = builders.participant(hailey, state=state)
        page = client_of(person).get(url(state, hailey)).content.decode()
        assert 'id="crisis"' in page
        assert "findahelpline.com" in page


def test_finishing_training_while_the_study_is_paused_keeps_the_place(hailey: Study) -> None:
    person = builders.participant(hailey, state=State.TRAINING)
    pages = hailey.protocol.training
    Participant.objects.filter(pk=person.pk).update(training_page=len(pages) - 1)
    studies.act(study=hailey, name="pause")
    last = {"page": pages[-1].code, "answer": pages[-1].check.answer if pages[-1].check else ""}
    answer = client_of(person).post(url(State.TRAINING, hailey), last, follow=True)
    assert "Your place is kept" in answer.content.decode()
    person.refresh_from_db()
    assert person.state == State.TRAINING
