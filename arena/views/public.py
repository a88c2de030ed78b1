"""The pages on which the arena shows its own books: fair play, the exclusion ledger, and a voter's own page."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from arena import fair_play as books
from arena import if_counted, own_page, roster, rules
from arena.models import Exclusion, Vote, VoteSource
from arena.voters import voter_of

PER_PAGE = 100


@never_cache
@require_safe
def fair_play(request: HttpRequest) -> HttpResponse:
    """Who is drawn how often, with the probability of every pair, from the same tables as the sampler."""
    context = {
        "section": "arena",
        "draws": books.draws(),
        "terms": roster.terms(),
        "retired": books.retired(),
        "exclusions": _by_rule(roster.SOURCE),
    }
    return render(request, "arena/fair_play.html", {**context, "votes": _votes(roster.SOURCE)})


@never_cache
@require_safe
def ledger(request: HttpRequest) -> HttpResponse:
    """Every vote that does not count, and every one that does again: rule, time and actor."""
    chosen, source = request.GET.get("rule", ""), _source(request)
    found = _exclusions(source).filter(rule=chosen) if chosen else _exclusions(source)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    for line in page.object_list:
        line.label, line.words = rules.label(line.rule), rules.detail(line.detail)
    facts = {"rule": chosen, "source": source, "exclusions": _by_rule(source), "votes": _votes(source)}
    facts |= {"report": if_counted.of(source), "sources": _sources()}
    return render(request, "arena/ledger.html", {"section": "arena", "page": page, **facts})


@require_safe
def ledger_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The whole ledger as CSV."""
    response = StreamingHttpResponse(_csv(_source(request)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="gyeoru-exclusions.csv"'
    return response


class _Echo:
    def write(self, line: str) -> str:
        return line


def _csv(source: str) -> Iterator[str]:
    writer = csv.writer(_Echo())
    fields = ("vote_id", "rule", "detail", "actor", "created_at", "lifted_at", "lifted_by")
    yield writer.writerow(fields)
    for row in _exclusions(source).order_by("pk").values_list(*fields).iterator(chunk_size=2000):
        yield writer.writerow([_safe(cell) for cell in row])


def _safe(cell: Any) -> str:
    """Text that a spreadsheet does not take for a formula."""
    text = "" if cell is None else cell.isoformat() if hasattr(cell, "isoformat") else str(cell)
    return f"'{text}" if text.lstrip()[:1] in tuple("=+-@＝＋－＠\t\r") and text else text


def _source(request: HttpRequest) -> str:
    """The source asked for, an import's or the demo's; this site's own arena where none is."""
    return request.GET.get("source", "").replace("\x00", "") or roster.SOURCE


def _sources() -> list[VoteSource]:
    """The sources with a vote left out at any time; the site's own arena always."""
    left_out = Exclusion.objects.filter(vote__source=OuterRef("pk"))
    found = VoteSource.objects.filter(Q(slug=roster.SOURCE) | Exists(left_out))
    return sorted(found, key=lambda one: (one.slug != roster.SOURCE, one.slug))


def _exclusions(source: str) -> Any:
    return Exclusion.objects.filter(vote__source__slug=source).order_by("-pk")


def _votes(source: str) -> int:
    return Vote.objects.filter(source__slug=source).count()


def _by_rule(source: str) -> list[dict[str, Any]]:
    """Votes under each rule now, and how many were let in again."""
    counts = (
        _exclusions(source)
        .order_by()
        .values("rule")
        .annotate(now=Count("pk", filter=Q(lifted_at=None)), lifted=Count("pk", filter=Q(lifted_at__isnull=False)))
    )
    lines = [{**line, "label": rules.label(line["rule"])} for line in counts]
    return sorted(lines, key=lambda line: -line["now"])


@never_cache
@require_safe
def me(request: HttpRequest) -> HttpResponse:
    """What the site knows of the visitor's own votes; nobody else can see it."""
    voter = voter_of(request)
    if voter is None:
        return redirect(f"/{get_language()}/arena/")
    return render(request, "arena/me.html", {"section": "arena", **own_page.of(voter)})
