"""The registry's pages: revisions with their aliases, and what may be done to one of them."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from leaderboard import drift_page, listing
from leaderboard.console import access, registry
from leaderboard.console.actions import Press, Refused
from leaderboard.console.forms import ReasonForm
from leaderboard.console.views import _user, page
from leaderboard.models import Alias, AuditEntry
from runners.models import ModelRevision

PAGE = 50
ACTIONS = ("alias", "roll_back", "undo", "rebase")


@access.staff
@require_safe
def revisions(request: HttpRequest) -> HttpResponse:
    """Every revision, by name, with what it is at the moment."""
    words, alias = request.GET.get("q", "").strip()[:200], request.GET.get("alias", "")
    alias = alias if alias in Alias.Name.values else ""
    found = Paginator(registry.search(words, alias), PAGE).get_page(request.GET.get("page"))
    context = {"found": found, "q": words, "alias": alias, "aliases": Alias.Name.choices}
    return page(request, "registry", "registry", context)


@access.staff
@require_safe
def revision(request: HttpRequest, pk: int) -> HttpResponse:
    """One revision: its facts, its listed runs and what could stand instead, its marks, what was done to it."""
    found = _revision(pk)
    context = {
        "revision": found,
        "alias": listing.alias_of(found),
        "aliases": [choice for choice in Alias.Name.choices if choice[0] != listing.alias_of(found)],
        "standings": registry.standings(found),
        "marks": registry.marks(found),
        "drift": drift_page.read(found.language_model, [found]),
        "history": registry.history(found),
    }
    return page(request, "revision", "registry", context)


@access.staff
@require_POST
def act(request: HttpRequest, pk: int) -> HttpResponse:
    """Moves the alias, rolls a run back, undoes that, or accepts a new level; 422 without a reason."""
    action = request.POST.get("action", "")
    access.check(request.user, action if action in ACTIONS else "")
    found, form = _revision(pk), ReasonForm(request.POST)
    label, what = str(AuditEntry.Action(action).label), request.POST.get("what", "")[:20]
    if not form.is_valid():
        context = {"form": form, "action": action, "label": label, "kept": [("what", what)]}
        return page(request, "act", "registry", context, status=422)
    try:
        _do(Press(_user(request), action, form.cleaned_data["reason"]), found, what)
        messages.success(request, _("%(action)s: done.") % {"action": label})
    except Refused as refused:
        messages.warning(request, str(refused))
    return redirect(f"/{get_language()}/console/registry/{pk}/")


def _do(press: Press, found: ModelRevision, what: str) -> None:
    """`what` is an alias, or the number of a run, a rollback or a mark."""
    if press.action == "alias":
        if what not in Alias.Name.values:
            raise Refused(_("Choose candidate, listed or retired."))
        registry.move(press, found, what)
        return
    number = int(what) if what.isascii() and what.isdigit() else 0
    verbs = {"roll_back": registry.roll_back, "undo": registry.undo, "rebase": registry.accept_level}
    verbs[press.action](press, found, number)


def _revision(pk: int) -> ModelRevision:
    return get_object_or_404(ModelRevision.objects.select_related("language_model", "alias", "endpoint"), pk=pk)
