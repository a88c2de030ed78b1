"""One battle: its page before and after the vote, the vote, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from arena import battles, reveals, rules, votes
from arena.models import Battle, Vote, Voter
from arena.refusal import Refused
from arena.voters import voter_of
from runners.models import Message

REASONS = (
    ("useful", gettext_lazy("useful")),
    ("correct", gettext_lazy("correct")),
    ("creative", gettext_lazy("creative")),
    ("format", gettext_lazy("well laid out")),
    ("inaccurate", gettext_lazy("inaccurate")),
    ("shallow", gettext_lazy("shallow")),
    ("ignored", gettext_lazy("ignored the instruction")),
    ("awkward", gettext_lazy("awkward Korean")),
)
View = Callable[[HttpRequest, Battle], HttpResponse]


def _own(view: View) -> Callable[..., HttpResponse]:
    """A battle of this session, by its key; 404 for everybody else. What is refused is said on the page."""

    @wraps(view)
    def wrapped(request: HttpRequest, key: str) -> HttpResponse:
        battle = _find(key)
        voter = voter_of(request)
        if voter is None or battle.voter_id != voter.pk:
            raise Http404
        try:
            return view(request, battle)
        except Refused as refused:
            return _page(request, battle, voter, refused)

    return never_cache(require_POST(wrapped))


def _find(key: str) -> Battle:
    related = ("left__revision__language_model", "right__revision__language_model", "voter")
    more = ("left__revision__endpoint", "right__revision__endpoint", "repeat_of")
    battle = Battle.objects.select_related(*related, *more).filter(key=key).first()
    if battle is None:
        raise Http404
    return battle


@never_cache
@ensure_csrf_cookie
@require_safe
def page(request: HttpRequest, key: str) -> HttpResponse:
    """The battle for its voter; for others once it is shared."""
    battle, voter = _find(key), voter_of(request)
    is_own = voter is not None and battle.voter_id == voter.pk
    if not is_own and battle.shared_at is None:
        raise Http404
    return _page(request, battle, voter if is_own else None)


def _page(request: HttpRequest, battle: Battle, voter: Voter | None, error: Refused | None = None) -> HttpResponse:
    battle.refresh_from_db(fields=["status", "stream_key", "deleted_at", "shared_at", "findings", "error_kind"])
    vote = Vote.objects.filter(battle=battle).first()
    is_open = battle.mode != Battle.Mode.BLIND
    context: dict[str, Any] = {
        "section": "arena",
        "battle": battle,
        "own": voter is not None,
        "turns": _turns(battle),
        "vote": vote,
        "rules": [rules.label(rule) for rule in votes.rules_of(vote)] if vote else [],
        "unranked": any(rule == "leak" for rule, _detail in battle.findings),
        "reveal": reveals.reveal(battle) if vote or is_open else None,
        "named": is_open,
        "reasons": REASONS,
        "winners": _winners(),
        "error": error,
        "max_prompt": battles.MAX_PROMPT,
    }
    return render(request, "arena/battle.html", context, status=error.status if error else 200)


def _winners() -> list[tuple[str, str, str]]:
    return [
        ("a", "1", _("A is better")),
        ("b", "2", _("B is better")),
        ("tie", "3", _("About the same")),
        ("bothbad", "4", _("Both are bad")),
    ]


def _turns(battle: Battle) -> list[dict[str, Any]]:
    """A line per turn: the prompt, and what each side answered (None where it has not)."""
    sides = battles.sides_of(battle)
    said = Message.objects.filter(conversation__in=sides).exclude(status=Message.Status.ERROR).order_by("position")
    turns: dict[int, dict[str, Any]] = {}
    for message in said:
        turn = turns.setdefault(message.turn, {"number": message.turn, "prompt": "", "answers": [None] * len(sides)})
        if message.role == Message.Role.USER:
            turn["prompt"] = message.text
        elif message.role == Message.Role.ASSISTANT:
            turn["answers"][0 if message.conversation_id == battle.left_id else 1] = message.text
    for turn in turns.values():
        turn["answers"] = list(zip("AB", turn["answers"], strict=False))
    return list(turns.values())


@never_cache
@require_POST
def vote(request: HttpRequest, key: str) -> HttpResponse:
    """The vote. Sent again it shows the vote that is stored; JSON for who asks for it."""
    voter = voter_of(request)
    wants_json = "application/json" in request.headers.get("Accept", "")
    try:
        outcome = votes.cast_vote(
            key,
            voter,
            request.POST.get("winner", ""),
            reasons=request.POST.getlist("reason"),
            comment=request.POST.get("comment", ""),
        )
    except Refused as refused:
        if wants_json:
            return JsonResponse({"error": refused.kind, "message": refused.message}, status=refused.status)
        if refused.status == 404:
            raise Http404 from refused
        return _page(request, _find(key), voter, refused)
    if wants_json:
        battle = _find(key)
        names = [side.revision.slug for side in battles.sides_of(battle)]
        told = {"winner": outcome.vote.winner, "is_new": outcome.is_new, "left": names[0], "right": names[1]}
        return JsonResponse({"vote": outcome.vote.pk, **told, "excluded": list(outcome.rules)})
    return redirect(f"/{get_language()}/arena/battles/{key}/#reveal")


@_own
def ask(request: HttpRequest, battle: Battle) -> HttpResponse:
    """A further turn."""
    return _to(battles.ask(battle, request.POST.get("prompt", "")))


@_own
def retry(request: HttpRequest, battle: Battle) -> HttpResponse:
    """A broken battle once more."""
    return _to(battles.retry(battle))


@_own
def agree(request: HttpRequest, battle: Battle) -> HttpResponse:
    """Whether the voter agrees with the judge."""
    cast = Vote.objects.filter(battle=battle).first()
    if cast is not None and request.POST.get("agrees") in ("yes", "no"):
        votes.agree(cast, request.POST["agrees"] == "yes")
    return _to(battle, "#judges")


@_own
def share(request: HttpRequest, battle: Battle) -> HttpResponse:
    """Makes a voted battle readable by its address."""
    battles.share(battle)
    return _to(battle, "#share")


@_own
def report(request: HttpRequest, battle: Battle) -> HttpResponse:
    """A report to staff."""
    battles.report(battle, request.POST.get("reason", ""))
    messages.success(request, _("Thank you. The staff of this site will look at it."))
    return _to(battle)


@_own
def delete(request: HttpRequest, battle: Battle) -> HttpResponse:
    """Deletes the visitor's texts; the verdict stays without them."""
    battles.delete_texts(battle)
    messages.success(request, _("Your texts of this battle are deleted. The vote itself stays, without them."))
    return redirect(f"/{get_language()}/arena/")


def _to(battle: Battle, anchor: str = "") -> HttpResponse:
    return redirect(f"/{get_language()}/arena/battles/{battle.key}/{anchor}")
