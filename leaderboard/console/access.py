"""Who may come in and who may act. Staff may look; each kind of action needs its own permission."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

View = Callable[..., HttpResponse]
RUNS, MODELS, WORKERS = "leaderboard.operate_runs", "leaderboard.hide_models", "leaderboard.drain_workers"
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
    "hide": MODELS,
    "show": MODELS,
    "drain": WORKERS,
    "resume": WORKERS,
}


def staff(view: View) -> View:
    """Strangers are led to the login, everybody else who is not staff is refused with 403. Nothing is cached."""

    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not (request.user.is_active and request.user.is_staff):
            raise PermissionDenied("the console is for staff")
        return view(request, *args, **options)

    return guarded


def check(user: AbstractBaseUser | AnonymousUser, action: str) -> None:
    """Raises PermissionDenied where `user` may not do `action`, or where there is no such action."""
    needed = NEEDED.get(action)
    if needed is None or not user.has_perm(needed):  # type: ignore[union-attr]
        raise PermissionDenied(f"{action} needs the permission {needed}")


def allowed(user: AbstractBaseUser | AnonymousUser) -> set[str]:
    """The actions that `user` may do."""
    return {action for action, needed in NEEDED.items() if user.has_perm(needed)}  # type: ignore[union-attr]
