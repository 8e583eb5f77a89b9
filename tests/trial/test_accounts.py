"""Accounts: from inside a study only, by mailed code, kind to those who return, silent to strangers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.http import HttpResponse
from django.test import Client, override_settings

from trial import crisis
from trial.models import Participant, Study, User
from trial.progress import State

CODE = re.compile(r"^[A-Z0-9]{4}-[A-Z0-9]{4}$", re.MULTILINE)
pytestmark = pytest.mark.django_db
ADDRESS = "robin@example.org"


def begun(study: Study, state: State = State.ACCOUNT) -> Client:
    """A browser whose participant is in this state and has no account."""
    participant = Participant.objects.create(study=study, version=study.current_version, state=state)
    client = Client()
    session = client.session
    session["participant_id"] = participant.pk
    session.save()
    return client


def member(email: str = ADDRESS) -> User:
    user = User.objects.create_user(email)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def code_in(message: mail.EmailMessage) -> str:
    found = CODE.search(str(message.body))
    assert found, message.body
    return found.group()


def text(response: HttpResponse) -> str:
    return response.content.decode()


def test_signing_up_outside_a_study_is_refused_kindly(client: Client) -> None:
    page = text(client.get("/accounts/signup/"))
    assert "Accounts begin inside a study" in page
    client.post("/accounts/signup/", {"email": ADDRESS})
    assert not User.objects.exists()
    assert mail.outbox == []


@pytest.mark.parametrize("state", [State.SCREENING, State.CONSENT, State.DECLINED, State.WITHDRAWN])
def test_only_consent_opens_the_sign_up(hailey: Study, state: State) -> None:
    client = begun(hailey, state)
    client.post("/accounts/signup/", {"email": ADDRESS})
    assert not User.objects.exists()


def test_a_participant_joins_with_a_mailed_code_and_no_password(hailey: Study) -> None:
    client = begun(hailey)
    page = text(client.get("/accounts/signup/"))
    assert "It is kept apart from what you write" in page
    assert 'type="password"' not in page
    response = client.post("/accounts/signup/", {"email": ADDRESS}, follow=True)
    assert "Confirm your address" in text(response)
    response = client.post(response.request["PATH_INFO"], {"code": code_in(mail.outbox[0])})
    assert response["Location"] == "/"
    assert EmailAddress.objects.get(email=ADDRESS).verified
    client.get("/")
    assert Participant.objects.get().user == User.objects.get(email=ADDRESS)


def test_a_returning_person_who_signs_up_again_is_mailed_the_way_back(hailey: Study) -> None:
    member()
    fresh, known = begun(hailey), begun(hailey)
    new = fresh.post("/accounts/signup/", {"email": "new@example.org"}, follow=True)
    old = known.post("/accounts/signup/", {"email": ADDRESS}, follow=True)
    blank = re.compile(r"new@example\.org|robin@example\.org|name=.csrfmiddlewaretoken. value=.\w+")
    assert blank.sub("", text(new)) == blank.sub("", text(old))
    assert mail.outbox[1].subject == "Welcome back"
    assert "/accounts/login/code/" in str(mail.outbox[1].body)
    assert User.objects.count() == 2


def test_a_mistyped_address_can_be_changed_before_the_code(hailey: Study) -> None:
    client = begun(hailey)
    page = text(client.post("/accounts/signup/", {"email": "robni@example.org"}, follow=True))
    assert "Use another address" in page
    assert 'name="next" value="/accounts/signup/"' in page
    assert client.post("/accounts/logout/", {"next": "/accounts/signup/"})["Location"] == "/accounts/signup/"
    client.post("/accounts/signup/", {"email": ADDRESS})
    client.post("/accounts/confirm-email/", {"code": code_in(mail.outbox[-1])})
    assert User.objects.get(pk=client.session["_auth_user_id"]).email == ADDRESS
    client.get("/")
    assert Participant.objects.get().user == User.objects.get(email=ADDRESS)


def test_a_new_code_replaces_the_old_one(client: Client) -> None:
    member()
    client.post("/accounts/login/code/", {"email": ADDRESS})
    client.post("/accounts/login/code/confirm/", {"action": "resend"})
    old, new = (code_in(message) for message in mail.outbox)
    client.post("/accounts/login/code/confirm/", {"code": old})
    assert "_auth_user_id" not in client.session
    client.post("/accounts/login/code/confirm/", {"code": new})
    assert "_auth_user_id" in client.session


def test_logging_out_forgets_the_participant_of_this_browser(hailey: Study) -> None:
    client = begun(hailey)
    client.force_login(member())
    client.post("/accounts/logout/")
    assert "participant_id" not in client.session


def test_signing_in_with_a_code_works_from_end_to_end(client: Client) -> None:
    user = member()
    response = client.post("/accounts/login/code/", {"email": ADDRESS}, follow=True)
    page = text(response)
    assert "Enter your code" in page
    code = code_in(mail.outbox[0])
    assert code not in page
    wrong = client.post("/accounts/login/code/confirm/", {"code": "XXXX-XXXX"})
    assert "That is not the code" in text(wrong)
    assert "_auth_user_id" not in client.session
    client.post("/accounts/login/code/confirm/", {"code": code.lower().replace("-", "")})
    assert client.session["_auth_user_id"] == str(user.pk)


def test_the_sign_in_page_needs_an_address_only(client: Client) -> None:
    member()
    client.post("/accounts/login/", {"login": ADDRESS})
    assert code_in(mail.outbox[0])
    assert "_auth_user_id" not in client.session


def test_a_member_of_the_team_may_sign_in_with_a_password(client: Client) -> None:
    user = member()
    user.set_password("correct horse")
    user.save()
    wrong = client.post("/accounts/login/", {"login": ADDRESS, "password": "wrong"})
    assert "do not go together" in text(wrong)
    assert '<details class="team" open>' in text(wrong)
    client.post("/accounts/login/", {"login": ADDRESS, "password": "correct horse"})
    assert client.session["_auth_user_id"] == str(user.pk)
    assert mail.outbox == []


def test_nobody_without_a_password_gets_in_with_one(client: Client) -> None:
    member()
    for password in ("", " ", "!", "None"):
        client.post("/accounts/login/", {"login": ADDRESS, "password": password})
        assert "_auth_user_id" not in client.session


def test_a_stranger_sees_the_page_that_a_member_sees(client: Client) -> None:
    member()
    known = client.post("/accounts/login/code/", {"email": ADDRESS})
    other = Client()
    unknown = other.post("/accounts/login/code/", {"email": "stranger@example.org"})
    assert known.status_code == unknown.status_code == 302
    assert known["Location"] == unknown["Location"]
    assert mail.outbox[1].subject == "We do not know this address"
    assert not CODE.search(str(mail.outbox[1].body))


def test_three_wrong_codes_end_the_attempt(client: Client) -> None:
    member()
    client.post("/accounts/login/code/", {"email": ADDRESS})
    for _ in range(3):
        client.post("/accounts/login/code/confirm/", {"code": "XXXX-XXXX"})
    client.post("/accounts/login/code/confirm/", {"code": code_in(mail.outbox[0])})
    assert "_auth_user_id" not in client.session


def test_too_many_requests_are_answered_kindly_and_with_help() -> None:
    member()
    pages = [Client().post("/accounts/login/code/", {"email": ADDRESS}) for _ in range(8)]
    last = text(pages[-1])
    assert "wait a few minutes" in last
    assert 'class="crisis"' in last
    assert len(mail.outbox) <= 3


def test_every_mail_ends_with_crisis_resources(hailey: Study, client: Client) -> None:
    member()
    client.post("/accounts/login/code/", {"email": ADDRESS})
    Client().post("/accounts/login/code/", {"email": "stranger@example.org"})
    begun(hailey).post("/accounts/signup/", {"email": "new@example.org"})
    begun(hailey).post("/accounts/signup/", {"email": ADDRESS})
    assert len(mail.outbox) == 4, [message.subject for message in mail.outbox]
    for message in mail.outbox:
        assert str(message.body).endswith(crisis.resources().finder.url)
        assert "&#x27;" not in str(message.body)
        assert "password" not in str(message.body)


@pytest.mark.parametrize("code", ["", "x" * 5000, "\u202e😀", "<script>"])
def test_odd_codes_are_wrong_codes(client: Client, code: str) -> None:
    member()
    client.post("/accounts/login/code/", {"email": ADDRESS})
    response = client.post("/accounts/login/code/confirm/", {"code": code})
    assert response.status_code in (200, 302)
    assert "_auth_user_id" not in client.session


def test_logging_out_takes_a_form_and_leads_to_the_sign_in_page(client: Client) -> None:
    client.force_login(member())
    assert "Everything you saved stays" in text(client.get("/accounts/logout/"))
    assert client.post("/accounts/logout/")["Location"] == "/accounts/login/"


@pytest.mark.parametrize(
    "address",
    [
        "email/",
        "password/set/",
        "password/change/",
        "2fa/",
        "2fa/totp/activate/",
        "2fa/recovery-codes/generate/",
    ],
)
def test_every_page_of_an_account_has_the_frame(client: Client, address: str) -> None:
    client.force_login(member())
    page = text(client.get(f"/accounts/{address}", follow=True))
    assert 'class="crisis"' in page
    assert "style=" not in page


@pytest.mark.parametrize("address", ["login/", "login/code/", "signup/", "password/reset/", "inactive/"])
def test_every_page_before_an_account_has_the_frame(client: Client, address: str) -> None:
    assert 'class="crisis"' in text(client.get(f"/accounts/{address}"))


def test_a_staff_member_signs_in_with_a_code_and_then_a_second_factor(client: Client) -> None:
    from allauth.mfa.totp.internal.auth import (
        TOTP,
        format_hotp_value,
        hotp_value,
        yield_hotp_counters_from_time,
    )

    user = User.objects.create_user("staff@example.org", is_staff=True)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    secret = "JBSWY3DPEHPK3PXP"
    TOTP.activate(user, secret)
    client.post("/accounts/login/code/", {"email": user.email})
    response = client.post("/accounts/login/code/confirm/", {"code": code_in(mail.outbox[0])})
    assert response["Location"].startswith("/accounts/2fa/authenticate/")
    assert "_auth_user_id" not in client.session
    now = next(iter(yield_hotp_counters_from_time()))
    client.post("/accounts/2fa/authenticate/", {"code": format_hotp_value(hotp_value(secret, now))})
    assert client.session["_auth_user_id"] == str(user.pk)


def test_the_mailbox_of_the_demo_is_offered_only_there(client: Client, tmp_path: Path) -> None:
    member()
    link = "Read it in the demo mailbox"
    client.post("/accounts/login/code/", {"email": ADDRESS})
    for demo in (True, False):
        with override_settings(DEMO=demo, EMAIL_FILE_PATH=str(tmp_path)):
            assert (link in text(client.get("/accounts/login/code/confirm/"))) == demo
