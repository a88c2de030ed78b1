"""Addresses of the public pages."""

from __future__ import annotations

from django.urls import path

from leaderboard.api.docs import docs
from leaderboard.views import (
    agreement,
    answers,
    attached,
    boards,
    compare,
    exports,
    judges,
    method,
    models,
    proof,
    queue,
    ratings,
    receipts,
    runs,
    samples,
    submit,
)

urlpatterns = [
    path("", boards.home, name="home"),
    path("boards/<slug:slug>/", boards.board, name="board"),
    path("boards/<slug:slug>/compare/", answers.compare, name="compare_answers"),
    path("boards/<slug:slug>.csv", exports.board_csv, name="board_csv"),
    path("api/v1/docs", docs, name="api_docs_in_language"),
    path("live/<slug:slug>/", boards.live, name="live"),
    path("models/", models.models, name="models"),
    path("models/<path:slug>/", models.model, name="model"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("runs/<int:pk>/live/", runs.live, name="run_live"),
    path("runs/<int:pk>/proof/", proof.proof, name="run_proof"),
    path("runs/<int:pk>/files/<int:artifact_pk>/", runs.artifact, name="artifact"),
    path("runs/<int:pk>/samples/", samples.tasks, name="samples"),
    path("runs/<int:pk>/samples/<str:task>/", samples.items, name="task_samples"),
    path("runs/<int:pk>/samples/<str:task>/<int:doc_id>/", samples.item, name="sample"),
    path("arena/ratings/", ratings.ratings, name="ratings"),
    path("arena/ratings.csv", ratings.ratings_csv, name="ratings_csv"),
    path("arena/ratings/votes/", ratings.votes, name="pair_votes"),
    path("arena/agreement/", agreement.agreement, name="agreement"),
    path("compare/", compare.compare, name="compare"),
    path("method/", method.method, name="method"),
    path("suites/<slug:slug>/", method.suite, name="suite"),
    path("answers/<int:pk>/", answers.answer, name="answer"),
    path("questions/<slug:slug>/", answers.questions, name="questions"),
    path("questions/<slug:slug>/<path:key>/", answers.question, name="question"),
    path("judges/", judges.judges, name="judges"),
    path("judges/<path:slug>/", judges.judge, name="judge"),
    path("queue/", queue.queue, name="queue"),
    path("queue/live/", queue.live, name="queue_live"),
    path("submit/", submit.submit, name="submit"),
    path("submit/checks/", submit.checks, name="submit_checks"),
    path("submit/start/", attached.start, name="submit_start"),
    path("submissions/<str:code>/", receipts.receipt, name="receipt"),
    path("submissions/<str:code>/status/", receipts.status, name="receipt_status"),
    path("submissions/<str:code>/runs/<int:pk>/retry/", receipts.retry, name="receipt_retry"),
    path("submissions/<str:code>/runs/<int:pk>/cancel/", receipts.cancel, name="receipt_cancel"),
]
