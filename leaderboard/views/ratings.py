"""Ratings of people's (or a judge's) verdicts: intervals, methods compared, pairs, history, and the votes behind."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import translation
from django.views.decorators.http import require_safe

from arena import chain, demo, rules
from arena.models import Vote, VoteSource
from arena.tallies import OVERALL, in_category
from leaderboard import rating_page
from leaderboard.context import public
from leaderboard.rating_choice import SIZES, VIEWS, Choice
from leaderboard.rating_standings import TARGET, Standing, key_of, rated_sources, rating_pages
from leaderboard.rating_tables import ratings_table
from leaderboard.ratings import METHODS
from leaderboard.views.boards import respond
from runners.models import ModelRevision
from runners.models.language_models import shown_name

HTML, CSV = "text/html; charset=utf-8", "text/csv; charset=utf-8"
PER_PAGE = 50


@require_safe
def ratings(request: HttpRequest) -> HttpResponse:
    """One source's ratings in one of four views; from memory once it was read."""
    choice, language, path = Choice.read(request.GET), translation.get_language() or "ko", request.path
    key = path + choice.query()
    ready = rating_pages.cached(key)
    if ready is not None:
        return respond(request, ready)
    source = choice.source or next((one.slug for one in rated_sources()), "")
    if not source:
        return render(request, "ratings/no_ratings.html", {"section": "ratings"})
    page = rating_pages.page(
        key, key_of(source, choice.category), HTML, lambda standing: _body(standing, choice, language, path)
    )
    if page is None:
        raise Http404(f"no ratings of {source} in {choice.category}")
    return respond(request, page)


@require_safe
def ratings_csv(request: HttpRequest) -> HttpResponse:
    """The chosen table as CSV."""
    choice, language = Choice.read(request.GET), translation.get_language() or "ko"
    source = choice.source or next((one.slug for one in rated_sources()), "")

    def body(standing: Standing) -> bytes:
        with translation.override(language):
            table = standing.table(choice.method)
            return b"" if table is None else ratings_table(standing, table).csv()

    page = rating_pages.page(request.path + choice.query(), key_of(source, choice.category), CSV, body)
    if page is None or not page.plain:
        raise Http404(f"no ratings of {source} in {choice.category} by {choice.method}")
    response = respond(request, page)
    if response.status_code == 200:
        name = f"{source}-{choice.category}-{choice.method}".replace(":", "-")
        ascii_name = name.encode("ascii", "replace").decode().replace('"', "")
        response["Content-Disposition"] = f'attachment; filename="{ascii_name}.csv"'
    return response


def _body(standing: Standing, choice: Choice, language: str, path: str) -> bytes:
    with translation.override(language):
        table = standing.table(choice.method)
        official = standing.table("bt")
        context = {
            **public(path + choice.query(), language),
            "section": "ratings",
            "standing": standing,
            "choice": choice,
            "path": path,
            "table": table,
            "rows": [(rating_page.rank(row), row, rating_page.STATUSES.get(row.status, row.status))
                     for row in (table.rows if table else [])],
            "sources": [(one, choice.query(source=one.slug, category=OVERALL)) for one in standing.sources],
            "categories": [(name, rating_page.category_name(name), choice.query(category=name))
                           for name in standing.categories],
            "methods": [(key, name, choice.query(method=key, view="table"), key in standing.tables)
                        for key, name in METHODS.items()],
            "views": [(key, name, choice.query(view=key)) for key, name in VIEWS.items()],
            "warnings": [rating_page.WARNINGS.get(code, code) for code in (table.snapshot.warnings if table else [])],
            "tastes": rating_page.tastes(table),
            "gauges": rating_page.gauges(standing, choice),
            "target": round(TARGET),
            "style_note": rating_page.style_note(standing) if choice.method == "bt-style" else "",
            "is_simulated": standing.source.slug == demo.SOURCE,
            "fragility": rating_page.fragility(standing),
            "csv": path.rstrip("/") + ".csv" + choice.query(view="table"),
            "api": "/api/v1/ratings" + choice.query(source=standing.source.slug, view="table"),
        }  # fmt: skip
        if choice.view == "table" and table:
            context["chart"] = rating_page.dots(table, language, is_simulated=standing.source.slug == demo.SOURCE)
        elif choice.view == "methods":
            names, compared = rating_page.switchboard(standing, choice)
            context |= {
                "names": [(name, METHODS[name]) for name in names],
                "compared": compared,
                "chart": rating_page.slope_chart(names, compared, choice.size),
                "toggles": [(key, name, choice.toggled(key), key in names, key in standing.tables)
                            for key, name in METHODS.items()],
            }  # fmt: skip
        elif choice.view == "pairs" and official:
            context |= {
                "fractions": rating_page.pairs(standing, official, choice, language, counts=False),
                "battles": rating_page.pairs(standing, official, choice, language, counts=True),
                "sizes": [(size, choice.query(size=size)) for size in SIZES],
            }
        elif choice.view == "history" and official:
            chart, models, past = rating_page.history(standing, official)
            context |= {"chart": chart, "models": models, "past": past}
        return render_to_string("ratings/ratings.html", context).encode()


@require_safe
def votes(request: HttpRequest) -> HttpResponse:
    """The votes on one pair of models, the excluded ones with their rule."""
    slug, a, b, category = (request.GET.get(name, "").replace("\x00", "") for name in ("source", "a", "b", "category"))
    source = VoteSource.objects.filter(slug=slug).first()
    if source is None or not a or not b:
        raise Http404("no such source, or no pair of models")
    pair = Q(left__slug=a, right__slug=b) | Q(left__slug=b, right__slug=a)
    found = (
        Vote.objects.filter(pair, in_category(category), source=source)
        .select_related("left__language_model", "right__language_model", "voter")
        .prefetch_related("exclusions")
        .order_by("-pk")
    )
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    named = ModelRevision.objects.filter(slug__in=(a, b)).values_list("slug", "language_model__name")
    names = {name_slug: shown_name(name) for name_slug, name in named}
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "section": "ratings",
        "source": source,
        "names": (names.get(a, a), names.get(b, b)),
        "lines": [_line(vote) for vote in page],
        "page": page,
        "query": query.urlencode(),
    }
    return render(request, "ratings/votes.html", context)


def _line(vote: Vote) -> dict[str, Any]:
    left, right = vote.left.language_model.display_name, vote.right.language_model.display_name
    return {
        "vote": vote,
        "left": left,
        "right": right,
        "winner": {"a": left, "b": right}.get(vote.winner, ""),
        "voter": chain.pseudonym(vote.voter.key if vote.voter else None)[:8],
        "rules": [rules.label(one.rule) for one in vote.exclusions.all() if one.lifted_at is None],
    }
