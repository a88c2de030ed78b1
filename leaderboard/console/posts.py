"""What the console's buttons send: actions with their reasons, and views to keep."""

from __future__ import annotations

import secrets

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from leaderboard.console import access, actions, term_rows, terms
from leaderboard.console.actions import Outcome, Press
from leaderboard.console.forms import ActionForm, ReasonForm, ViewForm
from leaderboard.console.views import _user, page
from leaderboard.models import AuditEntry, SavedView
from runners.models import Suite, Worker

TOLD = 5
# What can become of the runs of an older version; the third choice is to leave them.
BUMPS = ("reextract", "repeat")
# What a refused press brings along besides the runs, so that only the reason has to be typed again.
KEPT = ("matching", "everything", "next", "priority", "suite", "revision", "host")


@access.staff
@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """An action on runs or their models. Without a reason, 422 and a page that asks for it; nothing is done."""
    action = request.POST.get("action", "")
    access.check(request.user, action)
    form = ActionForm(request.POST)
    if not form.is_valid():
        kept = [(name, request.POST[name]) for name in KEPT if name in request.POST]
        context = {"form": form, "action": action, "label": AuditEntry.Action(action).label, "kept": kept}
        return page(request, "act", "runs", context, status=422)
    values = form.cleaned_data
    press = Press(
        _user(request), action, values["reason"], values["priority"] or 0, values["suite"], values["revision"],
        values["host"],
    )  # fmt: skip
    do = actions.on_models if action in ("hide", "show") else actions.on_runs
    outcome = do(press, form.run_ids())
    _tell(request, press, outcome)
    if outcome.made:
        return redirect(f"/{get_language()}/console/?batch={outcome.batch}&watch=1")
    return redirect(_back(request))


@access.staff
@require_POST
def bump(request: HttpRequest, pk: int) -> HttpResponse:
    """What becomes of the runs of a suite's older versions: `choice-<run>` is repeat, reextract or leave."""
    suite, form = get_object_or_404(Suite, pk=pk, published_at__isnull=False), ReasonForm(request.POST)
    for action in BUMPS:
        access.check(request.user, action)
    chosen = [(name, value) for name, value in request.POST.items() if name.startswith("choice-")]
    if not form.is_valid():
        label = AuditEntry.Action.REPEAT.label
        return page(request, "act", "suites", {"form": form, "action": "", "label": label, "kept": chosen}, status=422)
    batch, made = secrets.token_hex(8), 0
    for action in BUMPS:
        ids = [int(name[7:]) for name, value in chosen if value == action and name[7:].isdecimal()]
        if ids:
            press = Press(_user(request), action, form.cleaned_data["reason"], suite=suite, batch=batch)
            outcome = actions.on_runs(press, ids)
            _tell(request, press, outcome)
            made += outcome.made
    place = f"?batch={batch}&watch=1" if made else f"suites/{pk}/"
    return redirect(f"/{get_language()}/console/{place}")


@access.staff
@require_POST
def setting(request: HttpRequest) -> HttpResponse:
    """Another value for one setting, or with an empty one the default again; `was` is what the form showed."""
    access.check(request.user, "setting")
    form = ReasonForm(request.POST)
    key, value, was = (request.POST.get(name, "") for name in ("key", "value", "was"))
    if not form.is_valid():
        kept = [("key", key), ("value", value), ("was", was)]
        label = AuditEntry.Action.SETTING.label
        context = {"form": form, "action": "setting", "label": label, "kept": kept}
        return page(request, "act", "settings", context, status=422)
    press = Press(_user(request), "setting", form.cleaned_data["reason"])
    try:
        term = terms.change(press, key, value, was, term_rows.find)
    except actions.Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("Changed: %(label)s.") % {"label": term.label})
    return redirect(f"/{get_language()}/console/settings/")


@access.staff
@require_POST
def worker(request: HttpRequest, pk: int) -> HttpResponse:
    """Drains or resumes a worker."""
    action = request.POST.get("action", "")
    if action not in ("drain", "resume"):
        action = ""
    access.check(request.user, action)
    found, form = get_object_or_404(Worker, pk=pk), ReasonForm(request.POST)
    if not form.is_valid():
        context = {"form": form, "action": action, "label": AuditEntry.Action(action).label, "worker": found}
        return page(request, "act", "fleet", context, status=422)
    press = Press(_user(request), action, form.cleaned_data["reason"])
    _tell(request, press, actions.on_worker(press, found))
    return redirect(f"/{get_language()}/console/fleet/")


@access.staff
@require_POST
def save_view(request: HttpRequest) -> HttpResponse:
    """Keeps the filters under a name; the same name again replaces it."""
    form = ViewForm(request.POST)
    if form.is_valid():
        values = form.cleaned_data
        SavedView.objects.update_or_create(
            owner=_user(request), name=values["name"], defaults={"query": values["query"]}
        )
        return redirect(f"/{get_language()}/console/?{values['query']}")
    messages.warning(request, _("Give the view a name of at most 60 letters."))
    return redirect(_back(request))


@access.staff
@require_POST
def drop_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Forgets a view of one's own."""
    get_object_or_404(SavedView, pk=pk, owner=_user(request)).delete()
    return redirect(f"/{get_language()}/console/")


def _back(request: HttpRequest) -> str:
    """Where the button stood, if that is on this site."""
    place = request.POST.get("next", "")
    if place.startswith("/") and url_has_allowed_host_and_scheme(place, allowed_hosts=None):
        return place
    return f"/{get_language()}/console/"


def _tell(request: HttpRequest, press: Press, outcome: Outcome) -> None:
    label = AuditEntry.Action(press.action).label
    told = {"action": label, "n": outcome.done}
    if outcome.done:
        messages.success(request, ngettext("%(action)s: %(n)d done.", "%(action)s: %(n)d done.", outcome.done) % told)
    elif not outcome.refused:
        messages.warning(request, _("%(action)s: nothing was left to do.") % told)
    if outcome.refused:
        why = " · ".join(f"{run_id}: {text}" for run_id, text in list(outcome.refused.items())[:TOLD])
        told |= {"n": len(outcome.refused), "why": why}
        text = ngettext(
            "%(action)s: %(n)d left out. %(why)s", "%(action)s: %(n)d left out. %(why)s", len(outcome.refused)
        )
        messages.warning(request, text % told)
