"""A judge against people: agreement cut every way, what people themselves reach, biases, the combined rating."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from judging.models import QuestionSet
from leaderboard.context import public
from leaderboard.rating_charts import Dot, intervals
from leaderboard.rating_page import LANGUAGES, category_name
from leaderboard.rating_standings import AgreementPage, agreement_pages, agreements, key_of
from leaderboard.trend_chart import Series, trend
from leaderboard.views.boards import respond
from runners.models import ModelRevision
from runners.models.language_models import shown_name

HTML: Final = "text/html; charset=utf-8"
KINDS: Final = {
    "all": gettext_lazy("All votes"),
    "voters": gettext_lazy("Voters"),
    "category": gettext_lazy("Category"),
    "language": gettext_lazy("Language"),
    "gap": gettext_lazy("Rating gap of the pair"),
}
EXAMPLES: Final = 60


@require_safe
def agreement(request: HttpRequest) -> HttpResponse:
    """One judge on one source; from memory once it was read."""
    language, path = translation.get_language() or "ko", request.path
    source, judge = (request.GET.get(name, "")[:80].replace("\x00", "") for name in ("source", "judge"))
    if not (source and judge):
        known = [pair for pair in agreements() if source in ("", pair[0]) and judge in ("", pair[1])]
        if not known:
            if source or judge:
                raise Http404("nobody has voted on what this judge judged")
            return render(request, "agreement.html", {"section": "ratings"})
        source, judge = known[0]
    key = f"{path}?{urlencode({'source': source, 'judge': judge})}"
    page = agreement_pages.page(key, key_of(source, judge), HTML, lambda found: _body(found, language, path))
    if page is None:
        raise Http404(f"no agreement of {judge} on {source}")
    return respond(request, page)


def _body(page: AgreementPage, language: str, path: str) -> bytes:
    with translation.override(language):
        numbers = page.snapshot.numbers
        names = _names(numbers)
        sets = set(QuestionSet.objects.values_list("slug", flat=True))
        context = {
            **public(f"{path}?{urlencode({'source': page.source, 'judge': page.judge})}", language),
            "section": "ratings",
            "path": path,
            "page": page,
            "numbers": numbers,
            "whole": numbers["slices"][0],
            "groups": groups(numbers["slices"]),
            "trend": numbers.get("trend"),
            "trend_chart": _trend(numbers.get("trend")),
            "correlation": _named(numbers["ratings"], names),
            "combined": _named(numbers["combined"], names),
            "combined_chart": _chart(numbers["combined"], names, language),
            "disagreements": [
                {**one, **{side: names.get(one[side], one[side]) for side in ("first", "second")},
                 "has_page": one["item"].partition("/")[0] in sets}
                for one in numbers["disagreements"][:EXAMPLES]
            ],
            "n_disagreements": len(numbers["disagreements"]),
        }  # fmt: skip
        return render_to_string("agreement.html", context).encode()


def groups(slices: list[dict[str, Any]]) -> list[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """The slices under the heading of their kind, each with its name."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for one in slices:
        found.setdefault(one["kind"], []).append((slice_name(one), one))
    return [(str(KINDS[kind]), found[kind]) for kind in KINDS if kind in found]


def slice_name(one: dict[str, Any]) -> str:
    """What a slice is of, in the reader's language."""
    key = one["key"]
    if one["kind"] == "all":
        name = _("All votes")
    elif one["kind"] == "language":
        name = str(LANGUAGES.get(key, key))
    elif one["kind"] == "gap":
        name = _("%(points)s points") % {"points": key}
    elif one["kind"] == "category":
        name = category_name(key)
    else:
        name = key
    return name if one["turn"] is None else _("%(name)s, turn %(turn)d") % {"name": name, "turn": one["turn"]}


def _names(numbers: dict[str, Any]) -> dict[str, str]:
    """Names of the models in the tables by revision slug."""
    slugs = {row["model"] for part in ("ratings", "combined") for row in (numbers[part] or {}).get("rows", [])}
    slugs |= {one[side] for one in numbers["disagreements"][:EXAMPLES] for side in ("first", "second")}
    found = ModelRevision.objects.filter(slug__in=slugs).values_list("slug", "language_model__name")
    return {slug: shown_name(name) for slug, name in found}


def _named(part: dict[str, Any] | None, names: dict[str, str]) -> dict[str, Any] | None:
    if part is None:
        return None
    return {**part, "rows": [{**row, "name": names.get(row["model"], row["model"])} for row in part["rows"]]}


def _trend(found: dict[str, Any] | None) -> str:
    """S1 and S2 over the periods, with the bands of their intervals."""
    rows = found["rows"] if found else []

    def points(kind: str) -> list[tuple[float, float, float] | None]:
        shares = [row[kind] for row in rows]
        return [None if one["rate"] is None else (one["rate"], one["low"], one["high"]) for one in shares]

    series = [Series("S2", points("s2")), Series("S1", points("s1"))]
    return trend(_("Agreement over time, with 95 per cent intervals"), [row["start"] for row in rows], series)


def _chart(part: dict[str, Any] | None, names: dict[str, str], language: str) -> str:
    rows = [row for row in (part or {}).get("rows", []) if row["rating"] is not None]
    dots = [
        Dot(names.get(row["model"], row["model"]), f"/{language}/models/", row["rating"], row["low"], row["high"])
        for row in rows
    ]
    return intervals(_("Combined ratings with their 95 per cent intervals"), dots)
