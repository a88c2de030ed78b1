"""The arena's first page: consent, recorded battles, live battles, and chats with chosen models."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from arena import battles, recorded, roster
from arena.models import Battle, Vote
from arena.refusal import Refused
from arena.suggestions import THEMES
from arena.voters import consent as give_consent
from arena.voters import network_of, voter_of


@never_cache
@ensure_csrf_cookie
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Consent first; then what can be compared right now."""
    return _home(request)


def _home(request: HttpRequest, error: Refused | None = None, prompt: str = "") -> HttpResponse:
    voter = voter_of(request)
    context = {
        "section": "arena",
        "voter": voter,
        "themes": THEMES,
        "recorded": len(roster.recorded_revisions()) >= 2,
        "live": roster.pool(Battle.Kind.LIVE).is_open,
        "chats": bool(roster.live_revisions()),
        "mine": voter.votes.count() if voter else 0,
        "votes": Vote.objects.filter(source__slug=roster.SOURCE).count(),
        "error": error,
        "prompt": prompt,
        "max_prompt": battles.MAX_PROMPT,
        "min_seconds": settings.ARENA_MIN_SECONDS,
    }
    return render(request, "arena/home.html", context, status=error.status if error else 200)


@never_cache
@require_POST
def consent(request: HttpRequest) -> HttpResponse:
    """Agrees to the terms: the only way to a voter's cookie."""
    response = redirect(f"/{get_language()}/arena/")
    give_consent(request, response)
    return response


@never_cache
@require_POST
def open_battle(request: HttpRequest) -> HttpResponse:
    """Opens a battle (kind=recorded or live, or chosen models) and leads to it."""
    voter = voter_of(request)
    if voter is None:
        return redirect(f"/{get_language()}/arena/")
    kind, prompt, network = request.POST.get("kind", ""), request.POST.get("prompt", ""), network_of(request)
    try:
        if kind == "live":
            battle = battles.open_live(voter, network, prompt)
        elif kind == "chosen":
            battle = battles.open_chosen(voter, network, prompt, request.POST.getlist("model"))
        else:
            battle = recorded.open_recorded(voter, network)
    except Refused as refused:
        if kind == "chosen":
            return _chat(request, refused, prompt)
        return _home(request, refused, prompt)
    return redirect(f"/{get_language()}/arena/battles/{battle.key}/")


@never_cache
@ensure_csrf_cookie
@require_safe
def chat(request: HttpRequest) -> HttpResponse:
    """Side by side or alone with models chosen by name: never ranked, and on a page of its own, for it names them."""
    return _chat(request)


def _chat(request: HttpRequest, error: Refused | None = None, prompt: str = "") -> HttpResponse:
    if voter_of(request) is None:
        return redirect(f"/{get_language()}/arena/")
    context = {
        "section": "arena",
        "models": roster.live_revisions(),
        "chosen": request.POST.getlist("model") or request.GET.getlist("model"),
        "error": error,
        "prompt": prompt,
        "max_prompt": battles.MAX_PROMPT,
    }
    return render(request, "arena/chat.html", context, status=error.status if error else 200)
