"""How every number is computed, and what each suite is made of."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from leaderboard import boards, protocol_page
from runners.models import Suite


@require_safe
def method(request: HttpRequest) -> HttpResponse:
    """The method page; its prose is written twice, in each language for itself."""
    return render(request, "method/method.html", {"section": "method", "suites": boards.published_suites()})


@require_safe
def suite(request: HttpRequest, slug: str) -> HttpResponse:
    """One suite: what it asks, how it differs from its original, its tasks; `?version=` opens an old version."""
    versions = list(Suite.objects.filter(slug=slug, published_at__isnull=False).order_by("-version"))
    asked = request.GET.get("version", "")
    if not versions:
        raise Http404(f"no suite {slug}")
    found = next((entry for entry in versions if str(entry.version) == asked), versions[0])
    places = list(found.suite_tasks.select_related("task__benchmark").order_by("order"))
    return render(
        request,
        "method/suite.html",
        {
            "section": "method",
            "suite": found,
            "places": places,
            "asked": protocol_page.asked(found) if found.kind == Suite.Kind.MULTI_TURN else None,
            "versions": versions,
            "benchmarks": list({place.task.benchmark_id: place.task.benchmark for place in places}.values()),
            "n_docs": _total([place.task.n_docs for place in places]),
        },
    )


def _total(counts: list[int | None]) -> int | None:
    """The sum where every count is known; None otherwise."""
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None
