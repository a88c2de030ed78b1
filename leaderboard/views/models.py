"""The list of models and a model's page."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from leaderboard import model_page, rating_standings
from leaderboard.board_views import KINDS
from runners.models import LanguageModel

PAGE = 100


@require_safe
def models(request: HttpRequest) -> HttpResponse:
    """Every model that is not hidden, by name."""
    search, kind = request.GET.get("q", "")[:100].strip(), request.GET.get("kind", "")
    kind = kind if kind in KINDS else ""
    page = Paginator(model_page.listing(search, kind), PAGE).get_page(request.GET.get("page"))
    context = {"section": "models", "page": page, "search": search, "kind": kind, "kinds": KINDS.items()}
    return render(request, "models/models.html", context)


@require_safe
def model(request: HttpRequest, slug: str) -> HttpResponse:
    """One model: facts, revisions, standings, knowledge or format, runs."""
    found = get_object_or_404(LanguageModel, slug=slug)
    ratings = rating_standings.of_models([found.pk]).get(found.pk, [])
    context = {"section": "models", "page": model_page.read(found), "model": found, "ratings": ratings}
    return render(request, "models/model.html", context)
