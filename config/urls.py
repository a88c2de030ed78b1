"""Addresses: the API and the liveness page have none of a language; every page has one."""

from __future__ import annotations

from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("", include("leaderboard.api.urls")),
]
urlpatterns += i18n_patterns(
    path("console/", include("leaderboard.console.urls")),
    path("", include("leaderboard.urls")),
    path("", include("arena.urls")),
    prefix_default_language=True,
)
