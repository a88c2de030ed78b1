"""Addresses of the API, from the registry. Importing a module registers its endpoints."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from leaderboard.api import agreement, boards, health, metrics, models, openapi, queue, ratings, runs, samples, suites
from leaderboard.api.docs import docs
from leaderboard.api.registry import ENDPOINTS
from leaderboard.api.respond import unknown, view

MODULES = (suites, boards, models, runs, samples, ratings, agreement, queue, health, metrics, openapi)
BASE = "/api/v1/"
# The order of the page and of the document is that of MODULES, however the imports are sorted.
_ORDER = [module.__name__ for module in MODULES]
ENDPOINTS.sort(key=lambda endpoint: _ORDER.index(endpoint.answer.__module__))

urlpatterns: list[URLPattern] = [
    path((f"api/v1/{e.route}" if e.path.startswith(BASE) else e.route), view(e), name=f"api_{e.name}")
    for e in ENDPOINTS
]
urlpatterns += [
    path("api/v1/docs", docs, name="api_docs"),
    re_path(r"^api(?:/(?P<rest>.*))?$", unknown),
]
