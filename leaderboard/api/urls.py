"""Addresses of the API, from the registry. Importing a module registers its endpoints, in the order of the docs."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from leaderboard.api import boards, health, metrics, models, openapi, queue, runs, samples, suites
from leaderboard.api.docs import docs
from leaderboard.api.registry import ENDPOINTS
from leaderboard.api.respond import unknown, view

MODULES = (suites, boards, models, runs, samples, queue, health, metrics, openapi)
BASE = "/api/v1/"

urlpatterns: list[URLPattern] = [
    path((f"api/v1/{e.route}" if e.path.startswith(BASE) else e.route), view(e), name=f"api_{e.name}")
    for e in ENDPOINTS
]
urlpatterns += [
    path("api/v1/docs", docs, name="api_docs"),
    re_path(r"^api(?:/(?P<rest>.*))?$", unknown),
]
