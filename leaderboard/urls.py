"""Addresses of the public pages."""

from __future__ import annotations

from django.urls import path

from leaderboard.views import boards

urlpatterns = [
    path("", boards.home, name="home"),
    path("boards/<slug:slug>/", boards.board, name="board"),
    path("live/<slug:slug>/", boards.live, name="live"),
]
