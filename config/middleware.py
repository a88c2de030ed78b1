"""Response headers every page carries."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from leaderboard.console import access
from leaderboard.console import second_factor as factor

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """A strict Content-Security-Policy without inline script or style, on every response, errors included."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return middleware


def second_factor(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Keeps /admin/ as closed as the console: staff whose second factor is wanting is led to it first."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        inside = path.startswith("/admin/") and path not in ("/admin/login/", "/admin/logout/")
        if inside and request.user.is_active and request.user.is_staff and (lacks := factor.lacks(request)):
            return access.to_second_factor(request, lacks)
        return get_response(request)

    return middleware
