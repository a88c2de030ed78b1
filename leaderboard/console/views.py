"""The console's pages. Reading needs staff; every change is a POST with a reason, and its own permission."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from leaderboard.console import access, queries, term_rows, terms
from leaderboard.console.actions import MOST
from leaderboard.console.filters import AGES, STATUSES, RunFilter
from leaderboard.models import AuditEntry, SavedView
from leaderboard.queue_page import RECONCILER
from runners import machines
from runners.models import EvaluationRun, ModelRevision, Suite, Worker

AUDIT = 100
DRAWER_LINES = 200


def page(request: HttpRequest, template: str, tab: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """A page of the console with what its frame shows."""
    frame = {"section": "console", "tab": tab, "may": access.allowed(request.user)}
    return render(request, f"console/{template}.html", {**frame, **context}, status=status)


@access.staff
@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    """Every run, newest first, by filters that stand in the address. `watch` makes the table move by itself."""
    chosen = RunFilter.read(request.GET.dict())
    found = queries.runs_page(chosen, request.GET.get("page"))
    context = {
        "chosen": chosen,
        "found": found,
        "watch": bool(request.GET.get("watch")) and found.is_live,
        "watched": bool(request.GET.get("watch")),
        "statuses": [(key, EvaluationRun.Status(key).label, found.counts.get(key, 0)) for key in STATUSES],
        "ages": [(key, label) for key, (label, _span) in AGES.items()],
        "suites": [(f"{suite.slug}@{suite.version}", str(suite)) for suite in _suites()],
        "workers": Worker.objects.exclude(lane=RECONCILER).values_list("name", flat=True).order_by("name"),
        "saved": SavedView.objects.filter(owner=_user(request)),
        "actions": _actions(request),
        "most": MOST,
    }
    return page(request, "runs", "runs", context)


@access.staff
@require_safe
def failures(request: HttpRequest) -> HttpResponse:
    """Open failures in groups of one cause, and the runs that were taken out of the line."""
    dead = RunFilter(status="failed", error="poison", open="1")
    context = {
        "groups": queries.failure_groups(),
        "dead": list(dead.runs().defer(*queries.HEAVY).select_related("suite", "revision")[:50]),
    }
    return page(request, "failures", "failures", context)


@access.staff
@require_safe
def fleet(request: HttpRequest) -> HttpResponse:
    """Workers, the lines before them, speed, forecasts with their measured error, and money."""
    return page(request, "fleet", "fleet", {"found": queries.fleet_page()})


@access.staff
@require_safe
def suites(request: HttpRequest) -> HttpResponse:
    """Suites that came in a new version, and models that are hidden."""
    context = {"suites": queries.bumped_suites(), "hidden": queries.hidden_models()}
    return page(request, "suites", "suites", context)


@access.staff
@require_safe
def suite(request: HttpRequest, pk: int) -> HttpResponse:
    """What becomes of each run of the older versions; `?all=` says what is preset where it can be done."""
    chosen, older = get_object_or_404(Suite, pk=pk, published_at__isnull=False), []
    preset = request.GET.get("all", "")
    for entry in queries.bumps(chosen):
        free = "reextract" if preset != "repeat" and not entry.why_not else "repeat"
        older.append((entry, "leave" if preset == "leave" else free))
    context = {"suite": chosen, "older": older, "preset": preset, "most": MOST}
    return page(request, "suite", "suites", context)


@access.staff
@require_safe
def settings(request: HttpRequest) -> HttpResponse:
    """What staff may change while the site runs, where each value comes from, and who changed what."""
    text = request.GET.get("q", "").strip()[:200]
    found = term_rows.sections(text)
    known = {term.key: term for section in found for term in section.terms}
    return page(request, "settings", "settings", {"sections": found, "history": terms.history(known), "q": text})


@access.staff
@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """Who did what to what, when and why; newest first."""
    entries = AuditEntry.objects.order_by("-pk")
    if batch := request.GET.get("batch", "")[:32]:
        entries = entries.filter(batch=batch)
    if text := request.GET.get("q", "").strip()[:200]:
        entries = entries.filter(target=text) | entries.filter(actor_name=text)
    context = {"found": Paginator(entries, AUDIT).get_page(request.GET.get("page")), "q": text, "batch": batch}
    return page(request, "audit", "audit", context)


@access.staff
@require_safe
def log(request: HttpRequest, pk: int) -> HttpResponse:
    """The last lines of a run's log, as a drawer that follows it; a private suite's log is not shown."""
    run = get_object_or_404(EvaluationRun.objects.select_related("suite", "revision"), pk=pk)
    private = queries.is_private(run)
    lines = "" if private else "\n".join(run.log_tail.splitlines()[-DRAWER_LINES:])
    others = ModelRevision.objects.filter(language_model=run.revision.language_model_id).exclude(pk=run.revision_id)
    kin = list(others.order_by("slug")[:50])
    there = machines.live({revision.lane for revision in (run.revision, *kin)})
    context = {"run": run, "log": lines, "is_private": private, "kin": kin, "machines": there}
    if request.headers.get("HX-Request"):
        return render(request, "console/_log.html", {**context, "may": access.allowed(request.user)})
    return page(request, "log", "runs", context)


def _suites() -> QuerySet[Suite]:
    return Suite.objects.filter(published_at__isnull=False).order_by("slug", "-version").only("slug", "version")


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _actions(request: HttpRequest) -> list[tuple[str, str]]:
    """The actions on many runs that this operator may do."""
    offered = ("rerun", "reextract", "cancel", "priority", "unbind", "judge", "withdraw", "reinstate", "hide", "show")
    may = access.allowed(request.user)
    return [(key, str(AuditEntry.Action(key).label)) for key in offered if key in may]
