"""The pages of the second factor: setting it up, giving its code, new recovery codes, taking it off."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from leaderboard.console import access, second_factor
from leaderboard.console.second_factor import Refused
from leaderboard.console.views import _user, page

both = require_http_methods(["GET", "HEAD", "POST"])


@access.enrolling
@both
def factor(request: HttpRequest) -> HttpResponse:
    """Where one sets the second factor up, or changes it. Recovery codes are shown in the answer to the press alone."""
    if request.method != "POST":
        return _shown(request)
    action, code = request.POST.get("action", ""), request.POST.get("code", "")
    if settings.CONSOLE_SECOND_FACTOR == "off" or action not in ("enrol", "codes", "remove"):
        return _shown(request, {"problem": _("Nothing was done.")}, status=422)
    try:
        if action == "remove":
            second_factor.remove(request, code)
            messages.success(request, _("Your account has no second factor any more."))
            return redirect(request.path)
        codes = second_factor.enrol(request, code) if action == "enrol" else second_factor.renew_codes(request, code)
    except Refused as refused:
        return _shown(request, {"problem": told(refused), "tried": action}, status=422)
    return page(request, "factor_codes", "factor", {"codes": codes, "next": back(request)})


@access.verifying
@both
def verify(request: HttpRequest) -> HttpResponse:
    """Asks for a code and leads to where one wanted to go."""
    if second_factor.lacks(request) != "code":
        return redirect(back(request))
    context, status = {"next": back(request), "problem": ""}, 200
    if request.method == "POST":
        try:
            second_factor.verify(request, request.POST.get("code", ""))
            return redirect(back(request))
        except Refused as refused:
            context["problem"], status = told(refused), 422
    return page(request, "factor_verify", "", context, status=status)


def told(refused: Refused) -> str:
    """Why a code was not taken, and what to do, in the reader's words."""
    if refused.wait:
        n = round(refused.wait)
        told = ngettext(
            "After a wrong code none is taken for %(n)s second.",
            "After a wrong code none is taken for %(n)s seconds.", n,
        )  # fmt: skip
        return told % {"n": n}
    return _(
        "This code was not taken. Each counts once: wait for the next one, and see that the device's clock is right."
    )


def back(request: HttpRequest) -> str:
    """Where one wanted to go, if that is on this site."""
    place = request.POST.get("next", "") or request.GET.get("next", "")
    if place.startswith("/") and url_has_allowed_host_and_scheme(place, allowed_hosts=None):
        return place
    return f"/{get_language()}/console/"


def _shown(request: HttpRequest, more: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
    user, policy = _user(request), settings.CONSOLE_SECOND_FACTOR
    device = second_factor.device_of(user)
    context: dict[str, Any] = {"policy": policy, "device": device, "next": back(request), **(more or {})}
    if device is not None:
        context["left"] = second_factor.codes_left(user)
    elif policy != "off":
        key = second_factor.offered_key(request)
        context |= {"secret": second_factor.text_of(key), "picture": second_factor.picture_of(key, str(user))}
    return page(request, "factor", "factor", context, status=status)
