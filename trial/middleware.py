"""What every request passes: odd requests answered kindly, pages never stored, staff held to two factors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse
from django.utils.cache import add_never_cache_headers

from trial.views import errors

GetResponse = Callable[[HttpRequest], HttpResponse]
NUL = "\0"


class NoStoreMiddleware:
    """Tell browsers to fetch pages anew, so that the back button shows what is saved."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if "Cache-Control" not in response:
            add_never_cache_headers(response)
        return response


class WrongMethodMiddleware:
    """Give Django's empty 405 answer a page, with help and a way back."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            response.content = errors.wrong_method(request).content
        return response


class RejectNulBytesMiddleware:
    """Answer 400 to a NUL byte anywhere in a request: PostgreSQL stores none, and no person types one."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if any(NUL in text for text in _texts(request)):
            return errors.bad_request(request)
        return self.get_response(request)


def _texts(request: HttpRequest) -> Iterator[str]:
    """Everything in a request that may reach the database."""
    yield request.path_info
    for values in (request.GET, request.POST):
        for name, entries in values.lists():
            yield name
            yield from entries
    for file in request.FILES.values():
        yield str(getattr(file, "name", ""))
    for name, value in request.COOKIES.items():
        yield name
        yield value


class StaffMfaMiddleware:
    """Send members of the study team without a second factor to its set-up before anything else."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if settings.STAFF_MFA_REQUIRED and _lacks_second_factor(request):
            return HttpResponseRedirect(reverse("mfa_activate_totp"))
        return None


def _lacks_second_factor(request: HttpRequest) -> bool:
    from allauth.mfa.utils import is_mfa_enabled

    name = (request.resolver_match.url_name or "") if request.resolver_match else ""
    # Pages of one's own account: setting up, proving who one is, leaving.
    if name.startswith(("account_", "mfa_")):
        return False
    user = request.user
    return user.is_authenticated and user.is_staff and not is_mfa_enabled(user)
