"""Addresses of the public pages."""

from __future__ import annotations

from django.urls import path

from leaderboard.api.docs import docs
from leaderboard.views import boards, exports, queue, runs, samples

urlpatterns = [
    path("", boards.home, name="home"),
    path("boards/<slug:slug>/", boards.board, name="board"),
    path("boards/<slug:slug>.csv", exports.board_csv, name="board_csv"),
    path("api/v1/docs", docs, name="api_docs_in_language"),
    path("live/<slug:slug>/", boards.live, name="live"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("runs/<int:pk>/live/", runs.live, name="run_live"),
    path("runs/<int:pk>/files/<int:artifact_pk>/", runs.artifact, name="artifact"),
    path("runs/<int:pk>/samples/", samples.tasks, name="samples"),
    path("runs/<int:pk>/samples/<str:task>/", samples.items, name="task_samples"),
    path("runs/<int:pk>/samples/<str:task>/<int:doc_id>/", samples.item, name="sample"),
    path("queue/", queue.queue, name="queue"),
    path("queue/live/", queue.live, name="queue_live"),
]
