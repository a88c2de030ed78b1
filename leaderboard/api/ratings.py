"""Ratings as the rating pages show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from arena.tallies import OVERALL
from leaderboard.api import schemas as s
from leaderboard.api.models import RATINGS
from leaderboard.api.registry import ApiError, choice, endpoint, words
from leaderboard.api.respond import JSON, encode, send
from leaderboard.rating_standings import Row, Standing, Table, key_of, of_models, rated_sources, rating_pages
from leaderboard.ratings import IF_COUNTED, METHODS
from leaderboard.views.boards import respond
from runners.models import LanguageModel

ROW = s.component(
    "Rating",
    s.record(
        {
            "model": s.text("slug of the model"),
            "name": s.text(),
            "revision": s.text("what was compared"),
            "status": s.text("rated, no_votes, too_few, only_wins, only_losses, not_connected or no_maximum"),
            "rating": s.or_null(s.number(), "scale 400, base 10, mean 1000; null unless the status is rated"),
            "low": s.or_null(s.number(), "lower bound of the 95% interval; null where the method has none (Elo)"),
            "high": s.or_null(s.number()),
            "rank_low": s.or_null(s.integer(), "best rank that the votes allow"),
            "rank_high": s.or_null(s.integer()),
            "battles": s.integer("counted votes on the model"),
            "wins": s.integer(),
            "ties": s.integer("undecided votes, those calling both answers bad included"),
        }
    ),
)
RATING_TABLE = s.record(
    {
        "snapshot": s.or_null(s.integer(), "null where the method has no ratings here"),
        "source": s.text(),
        "category": s.text(),
        "method": s.text(),
        "created_at": s.or_null(s.time()),
        "up_to_vote": s.integer("id of the last vote that is in it"),
        "input_hash": s.text("SHA-256 over the method and the counts it was fitted on"),
        "votes": s.integer("votes counted"),
        "excluded": s.table(s.integer(), "votes that do not count, by rule"),
        "warnings": s.array(s.text()),
        "details": s.free("tie parameter, style coefficients, how few votes hold up rank one"),
        "sources": s.array(s.text(), "all sources with ratings"),
        "categories": s.array(s.text(), "all categories of this source"),
        "methods": s.array(s.text(), "the methods with ratings here"),
        "rows": s.array(ROW, "best first; models without a number last"),
    }
)
EXAMPLE: dict[str, Any] = {
    "snapshot": 7,
    "source": "arena",
    "category": OVERALL,
    "method": "bt",
    "created_at": "2026-09-01T09:00:00Z",
    "up_to_vote": 5000,
    "input_hash": "0" * 64,
    "votes": 4987,
    "excluded": {"too_fast": 13},
    "warnings": [],
    "details": {},
    "sources": ["arena"],
    "categories": [OVERALL],
    "methods": ["bt"],
    "rows": [
        {
            "model": "maker/model-7b", "name": "model-7b", "revision": "maker/model-7b@0123abcd", "status": "rated",
            "rating": 1093.2, "low": 1071.5, "high": 1114.9, "rank_low": 1, "rank_high": 2, "battles": 820,
            "wins": 431, "ties": 160,
        }
    ],
}  # fmt: skip


@endpoint(
    path="/api/v1/ratings",
    route="ratings",
    name="ratings",
    summary=gettext_lazy("Ratings"),
    description=gettext_lazy("Ratings from people's votes, or from a judge's verdicts (source judge:…), by method."),
    response=RATING_TABLE,
    example=EXAMPLE,
    parameters=(
        words("source", gettext_lazy("Slug of a vote source; the site's first when absent."), longest=80),
        words("category", gettext_lazy("A category, such as overall, multi-turn or language:ko."), longest=80),
        choice("method", list(METHODS), gettext_lazy("How ratings are computed; bt when absent.")),
    ),
    trial="/api/v1/ratings",
    statuses=(400, 404),
)
def ratings(request: HttpRequest, source: str, category: str, method: str | None) -> HttpResponseBase:
    """From memory once it was read; before any vote, an empty table."""
    key = f"/api/v1/ratings\n{source}\n{category}\n{method}"
    ready = rating_pages.cached(key)
    if ready is not None:
        return respond(request, ready)
    slug = source or next((one.slug for one in rated_sources()), "")
    if not slug:
        return send(request, encode(_nothing(category or OVERALL, method or "bt")))
    page = rating_pages.page(
        key, key_of(slug, category or OVERALL), JSON, lambda standing: encode(payload(standing, method or "bt"))
    )
    if page is None:
        raise _unknown(slug, category or OVERALL)
    return respond(request, page)


def payload(standing: Standing, method: str) -> dict[str, Any]:
    """One method's table as JSON; the numbers are the page's own, unrounded."""
    found = {
        **_nothing(standing.category, method),
        "source": standing.source.slug,
        "sources": [one.slug for one in standing.sources],
        "categories": standing.categories,
        "methods": list(standing.tables),
    }
    table = standing.table(method)
    return found if table is None else {**found, **_filled(table)}


def _filled(table: Table) -> dict[str, Any]:
    snapshot = table.snapshot
    return {
        "snapshot": snapshot.pk,
        "created_at": snapshot.created_at,
        "up_to_vote": snapshot.up_to_vote,
        "input_hash": snapshot.input_hash,
        "votes": snapshot.n_votes,
        "excluded": snapshot.excluded,
        "warnings": snapshot.warnings,
        # The report on left-out votes names models by slug, hidden ones too: the ledger shows it without those.
        "details": {key: value for key, value in snapshot.details.items() if key != IF_COUNTED},
        "rows": [_row(row) for row in table.rows],
    }


def _row(row: Row) -> dict[str, Any]:
    model = row.model
    return {
        "model": model.slug, "name": model.name, "revision": model.revision, "status": row.status,
        "rating": row.rating, "low": row.low, "high": row.high, "rank_low": row.rank_low, "rank_high": row.rank_high,
        "battles": row.battles, "wins": row.wins, "ties": row.ties,
    }  # fmt: skip


def _nothing(category: str, method: str) -> dict[str, Any]:
    return {
        **{name: [] for name in ("warnings", "sources", "categories", "methods", "rows")},
        "snapshot": None, "source": "", "category": category, "method": method, "created_at": None, "up_to_vote": 0,
        "input_hash": "", "votes": 0, "excluded": {}, "details": {},
    }  # fmt: skip


def _unknown(source: str, category: str) -> ApiError:
    known = [one.slug for one in rated_sources()]
    if source not in known:
        message = _("There are no ratings of a source “%(source)s”. There are: %(known)s.")
        return ApiError(404, message % {"source": source, "known": ", ".join(known) or "–"}, "source", source)
    message = _("The source %(source)s has no votes in a category “%(category)s”.")
    return ApiError(404, message % {"source": source, "category": category}, "category", category)


def _of_models(models: Sequence[LanguageModel]) -> Mapping[int, list[dict[str, Any]]]:
    return of_models([model.pk for model in models])


RATINGS.append(_of_models)
