"""The frame of every page: crisis help, errors, bad bytes, the content policy, forms."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.template.loader import render_to_string
from django.test import Client, RequestFactory, override_settings
from django.urls import include, path
from django.views.decorators.http import require_POST

from trial import crisis
from trial.models import User
from trial.views import errors
from trial.widgets import LikertWidget

# The report that is downloaded stands alone in one file; no site serves it.
STANDALONE = {"analysis/standalone.html"}
FOLDER = settings.BASE_DIR / "templates"
TEMPLATES = sorted(f for f in FOLDER.rglob("*.html") if str(f.relative_to(FOLDER)) not in STANDALONE)


@login_not_required
def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("broken on purpose")


@login_not_required
def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(Template("{% load crisis %}{% crisis_help %}").render(Context({"user": None})))


@login_not_required
def forbidden(request: HttpRequest) -> HttpResponse:
    from django.core.exceptions import PermissionDenied

    raise PermissionDenied


urlpatterns = [
    path("broken/", broken),
    path("echo/", echo),
    path("post-only/", login_not_required(require_POST(echo))),
    path("forbidden/", forbidden),
    path("inside/", echo, name="inside"),
    path("members/", lambda request: HttpResponse("members")),
    path("", include("config.urls")),
]
handler400 = "trial.views.errors.bad_request"
handler403 = "trial.views.errors.forbidden"
handler404 = "trial.views.errors.not_found"
handler500 = "trial.views.errors.server_error"

pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


def holds_crisis_help(response: HttpResponse) -> bool:
    page = response.content.decode()
    return 'class="crisis"' in page and 'href="tel:' in page and crisis.resources().finder.url in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "status"),
    [("/nowhere/", 404), ("/forbidden/", 403), ("/broken/", 500), ("/echo/?q=%00", 400)],
)
def test_every_error_page_holds_the_crisis_bar(browser: Client, address: str, status: int) -> None:
    response = browser.get(address)
    assert response.status_code == status
    assert holds_crisis_help(response)
    assert "back" in response.content.decode().lower() or status in (403, 404)
    assert 'href="/"' in response.content.decode()


@pytest.mark.django_db
def test_an_expired_form_says_that_nothing_is_lost() -> None:
    response = Client(enforce_csrf_checks=True).post("/echo/", {"reply": "hello"})
    assert response.status_code == 403
    assert holds_crisis_help(response)
    assert "What you wrote is not lost" in response.content.decode()


@pytest.mark.django_db
def test_a_wrong_method_is_a_page_with_help(browser: Client) -> None:
    response = browser.get("/post-only/")
    assert response.status_code == 405
    assert response["Allow"] == "POST"
    assert holds_crisis_help(response)


@pytest.mark.django_db
def test_a_form_that_is_too_large_is_refused_kindly(browser: Client) -> None:
    response = browser.post("/echo/", {"reply": "x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)})
    assert response.status_code == 400
    assert holds_crisis_help(response)


def test_the_500_page_needs_no_database(rf: RequestFactory) -> None:
    # Without the django_db mark every query fails.
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        connections["default"].cursor()
    response = errors.server_error(rf.get("/", headers={"accept-language": "en-GB"}))
    assert response.status_code == 500
    assert holds_crisis_help(response)
    assert "(United Kingdom)" in response.content.decode()


def test_error_pages_survive_a_database_that_is_away(browser: Client) -> None:
    browser.cookies["sessionid"] = "a" * 32
    for address, status in (("/nowhere/", 404), ("/broken/", 500)):
        response = browser.get(address)
        assert response.status_code in (status, 500)
        assert holds_crisis_help(response)


@override_settings(TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": []}])
def test_without_its_template_the_500_page_still_names_help(rf: RequestFactory) -> None:
    page = errors.server_error(rf.get("/")).content.decode()
    assert "findahelpline.com" in page
    assert 'href="tel:116123"' in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    "send",
    [
        lambda c: c.get("/echo/%00/"),
        lambda c: c.get("/static/%00.css"),
        lambda c: c.get("/echo/", {"source": "a\0b"}),
        lambda c: c.get("/echo/?a%00b=1"),
        lambda c: c.post("/echo/", {"reply": "I hear you\0"}),
        lambda c: c.post("/echo/", {"re\0ply": "I hear you"}),
        lambda c: c.get("/echo/", headers={"cookie": 'sessionid="\\000\\000aaaaaaaaaaaaaaaaaaaaaaaaaaaa"'}),
    ],
)
def test_a_nul_byte_anywhere_is_refused_with_a_clear_page(
    browser: Client, send: Callable[[Client], HttpResponse]
) -> None:
    response = send(browser)
    assert response.status_code == 400
    assert "control character" in response.content.decode()
    assert holds_crisis_help(response)


@pytest.mark.django_db
def test_any_other_writing_passes(browser: Client) -> None:
    assert browser.post("/echo/", {"reply": "😀 مرحبا <script>alert(1)</script> \u202e"}).status_code == 200


@pytest.mark.django_db
def test_dynamic_pages_are_not_stored(browser: Client) -> None:
    assert "no-store" in browser.get("/echo/")["Cache-Control"]
    with contextlib.closing(browser.get("/static/css/attune.css")) as static:
        assert "no-store" not in static.get("Cache-Control", "")


@pytest.mark.django_db
def test_the_content_policy_allows_nothing_unsafe(browser: Client) -> None:
    policy = browser.get("/echo/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda f: str(f.relative_to(settings.BASE_DIR)))
def test_no_template_holds_inline_style_or_script(template: Path) -> None:
    source = template.read_text()
    assert not re.search(r"\sstyle\s*=", source)
    assert not re.search(r"<style", source, re.IGNORECASE)
    assert not re.search(r"<script(?![^>]*\ssrc=)", source, re.IGNORECASE)
    assert not re.search(r"\s(on[a-z]+|hx-on[^\s=]*)\s*=", source)
    assert "javascript:" not in source
    assert not re.search(r"hx-vals='?js:|hx-trigger=\"[^\"]*\[", source)


# --- Crisis resources ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "country"),
    [("en-GB,en;q=0.9", "GB"), ("de", ""), ("zh-Hant-TW", "TW"), ("", ""), ("x" * 9000, ""), ("en-ie", "IE")],
)
def test_the_likely_country_comes_from_the_browsers_language(rf: RequestFactory, header: str, country: str) -> None:
    assert crisis.likely_country(rf.get("/", headers={"accept-language": header})) == country


def test_a_participants_own_country_goes_before_the_browsers() -> None:
    class Somebody:
        country = "US"

    template = Template("{% load crisis %}{% crisis_help %}")
    page = template.render(Context({"participant": Somebody(), "crisis_country": "GB"}))
    assert "(United States)" in page


def test_unreadable_resources_give_the_last_resort_list(tmp_path: Path) -> None:
    bad = tmp_path / "crisis.yaml"
    for content in (None, b"finder: [", b"\xff\xfe", b"countries: []"):
        if content is not None:
            bad.write_bytes(content)
        with override_settings(CRISIS_FILE=bad):
            crisis._read.cache_clear()
            assert crisis.resources() is crisis.LAST_RESORT


def test_numbers_become_links_and_everything_else_is_escaped() -> None:
    render = Template("{% load crisis %}{{ text|dial:scheme }}").render
    phone = render(Context({"text": "<b>116 123</b> or +1-800-273", "scheme": "tel"}))
    assert phone == ('&lt;b&gt;<a href="tel:116123">116 123</a>&lt;/b&gt; or <a href="tel:+1800273">+1-800-273</a>')
    assert 'href="sms:741741"' in render(Context({"text": "HOME to 741741", "scheme": "sms"}))


def test_every_country_of_the_protocol_is_on_the_page() -> None:
    page = render_to_string("404.html")
    for country in crisis.resources().countries:
        assert country.name in page


# --- Forms --------------------------------------------------------------------------------


class Questions(forms.Form):
    sure = forms.ChoiceField(
        label="How sure are you?",
        choices=[(n, n) for n in range(1, 6)],
        widget=LikertWidget(low="Not at all", high="Very"),
    )
    why = forms.CharField(widget=forms.Textarea, help_text="A word is enough.")
    agree = forms.BooleanField(label="I <agree>")
    topics = forms.MultipleChoiceField(choices=[("a", "A")], widget=forms.CheckboxSelectMultiple, required=False)


def test_a_scale_is_a_fieldset_with_its_ends_named() -> None:
    page = str(Questions().as_div())
    assert re.search(r"<fieldset[^>]*>\s*<legend>How sure are you\?</legend>", page)
    assert page.count('type="radio"') == 5
    assert "1 = Not at all" in page
    assert "5 = Very" in page


def test_errors_are_summed_up_with_links_to_their_fields() -> None:
    page = str(Questions({"topics": ["a"]}).as_div())
    for target in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{target}"' in page
    assert page.count("<li><a href=") == 3
    assert 'aria-invalid="true"' in page
    assert 'aria-describedby="id_why_helptext id_why_error"' in page
    assert "I &lt;agree&gt;" in page


# --- Staff and the second factor ------------------------------------------------------------


@pytest.fixture
def team_member() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("staff@example.org", is_staff=True))
    return client


@pytest.mark.django_db
def test_staff_without_a_second_factor_are_sent_to_set_one_up(team_member: Client) -> None:
    with override_settings(STAFF_MFA_REQUIRED=True):
        response = team_member.get("/members/")
        assert response.status_code == 302
        assert response["Location"] == "/accounts/2fa/totp/activate/"
        assert team_member.get("/accounts/2fa/totp/activate/").status_code == 200
        assert team_member.get("/accounts/logout/").status_code == 200


@pytest.mark.django_db
def test_staff_with_a_second_factor_and_participants_pass(team_member: Client) -> None:
    from allauth.mfa.models import Authenticator

    user = User.objects.get(email="staff@example.org")
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "x"})
    participant = Client()
    participant.force_login(User.objects.create_user("someone@example.org"))
    with override_settings(STAFF_MFA_REQUIRED=True):
        assert team_member.get("/members/").content == b"members"
        assert participant.get("/members/").content == b"members"


# --- The demo mailbox -----------------------------------------------------------------------


@pytest.mark.django_db
def test_the_mailbox_exists_in_a_demo_only(browser: Client, tmp_path: Path) -> None:
    with override_settings(DEMO=False, DEBUG=False):
        assert browser.get("/demo/mail/").status_code == 404
    with override_settings(DEMO=True, EMAIL_FILE_PATH=str(tmp_path / "none")):
        assert "No mail yet" in browser.get("/demo/mail/").content.decode()


@pytest.mark.django_db
def test_the_mailbox_shows_the_newest_code_first(browser: Client, tmp_path: Path) -> None:
    from django.core.mail import send_mail

    backend = "django.core.mail.backends.filebased.EmailBackend"
    with override_settings(DEMO=True, EMAIL_BACKEND=backend, EMAIL_FILE_PATH=str(tmp_path)):
        for code in ("OLDE-CODE", "NEWE-CODE"):
            send_mail("Your <code>", f"Hello,\n\n{code}\n\nÀ bientôt", None, ["a@example.org"])
        page = browser.get("/demo/mail/").content.decode()
    assert page.index("NEWE-CODE") < page.index("OLDE-CODE")
    assert "Your &lt;code&gt;" in page
    assert "À bientôt" in page
