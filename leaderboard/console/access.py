"""Who may come in and who may act. Staff may look; each kind of action needs its own permission."""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import partial, wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache

from leaderboard.console import second_factor

View = Callable[..., HttpResponse]
RUNS, MODELS, WORKERS = "leaderboard.operate_runs", "leaderboard.hide_models", "leaderboard.drain_workers"
SETTINGS = "leaderboard.edit_settings"
# Which permission an action of the console needs; see leaderboard.models.AuditEntry.Action.
NEEDED = {
    "rerun": RUNS,
    "cancel": RUNS,
    "withdraw": RUNS,
    "reinstate": RUNS,
    "priority": RUNS,
    "judge": RUNS,
    "repeat": RUNS,
    "parity": RUNS,
    "unbind": RUNS,
    "reextract": RUNS,
    "hide": MODELS,
    "show": MODELS,
    "drain": WORKERS,
    "resume": WORKERS,
    "setting": SETTINGS,
    "roll_back": RUNS,
    "undo": RUNS,
    "rebase": RUNS,
    "alias": MODELS,
}


def staff(view: View, before: Container[str] = ()) -> View:
    """Strangers are led to the login, everybody else who is not staff is refused with 403. Nothing is cached.

    Staff whose second factor is wanting is led to it first, unless what is wanting is in `before`.
    """

    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not (request.user.is_active and request.user.is_staff):
            raise PermissionDenied("the console is for staff")
        lacks = second_factor.lacks(request)
        return to_second_factor(request, lacks) if lacks and lacks not in before else view(request, *args, **options)

    return guarded


# Pages on which the second factor is set up, and on which its code is given.
enrolling, verifying = partial(staff, before=("enrolment",)), partial(staff, before=("enrolment", "code"))


def to_second_factor(request: HttpRequest, lacks: str) -> HttpResponse:
    """Leads to the page where one sets the second factor up or gives its code, and from there back to this one."""
    page = f"/{get_language()}/console/second-factor/{'verify/' if lacks == 'code' else ''}"
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": page})
    return redirect(f"{page}?{urlencode({'next': request.get_full_path()})}" if request.method == "GET" else page)


def check(user: AbstractBaseUser | AnonymousUser, action: str) -> None:
    """Raises PermissionDenied where `user` may not do `action`, or where there is no such action."""
    needed = NEEDED.get(action)
    if needed is None or not user.has_perm(needed):  # type: ignore[union-attr]
        raise PermissionDenied(f"{action} needs the permission {needed}")


def allowed(user: AbstractBaseUser | AnonymousUser) -> set[str]:
    """The actions that `user` may do."""
    return {action for action, needed in NEEDED.items() if user.has_perm(needed)}  # type: ignore[union-attr]
