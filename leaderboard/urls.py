"""Addresses of the public pages."""

from __future__ import annotations

from django.urls import path

from leaderboard.views import boards, runs, samples

urlpatterns = [
    path("", boards.home, name="home"),
    path("boards/<slug:slug>/", boards.board, name="board"),
    path("live/<slug:slug>/", boards.live, name="live"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("runs/<int:pk>/live/", runs.live, name="run_live"),
    path("runs/<int:pk>/files/<int:artifact_pk>/", runs.artifact, name="artifact"),
    path("runs/<int:pk>/samples/", samples.tasks, name="samples"),
    path("runs/<int:pk>/samples/<str:task>/", samples.items, name="task_samples"),
    path("runs/<int:pk>/samples/<str:task>/<int:doc_id>/", samples.item, name="sample"),
]
