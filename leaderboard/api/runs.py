"""One run: how far it is, what came out, and everything a rerun needs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from leaderboard.api import schemas as s
from leaderboard.api.registry import MAX_ID, ApiError, endpoint
from runners.models import EvaluationRun, TaskResult
from runners.waiting import Line

PROGRESS = s.component(
    "Progress", s.record({"done": s.integer("items"), "total": s.or_null(s.integer(), "items; null until known")})
)
RESULT = s.component(
    "Result",
    s.record(
        {
            "task": s.text(),
            "value": s.or_null(s.number()),
            "stderr": s.or_null(s.number()),
            "n_docs": s.integer(),
            "n_scored": s.integer(),
            "n_failed": s.integer(),
            "n_no_answer": s.integer(),
            "n_truncated": s.integer("replies cut at the token limit"),
            "metrics": s.free("every metric: {name: {value, stderr}}"),
            "seconds": s.or_null(s.number()),
            "prompt_tokens": s.or_null(s.integer()),
            "completion_tokens": s.or_null(s.integer()),
            "config_sha": s.text("sha256 of the resolved task configuration"),
            "task_hash": s.text("sha256 over the items' hashes"),
            "dataset_fingerprint": s.text("commit on the Hub or sha256 of the files"),
        }
    ),
)
RUN = s.record(
    {
        "id": s.integer(),
        "model": s.text(),
        "revision": s.text(),
        "suite": s.text(),
        "suite_version": s.integer(),
        "status": s.one_of("queued", "running", "judging", "finished", "failed", "cancelled"),
        "lane": s.text(),
        "attempt": s.integer("attempts begun"),
        "progress": PROGRESS,
        "stage": s.text("what it does right now"),
        "position": s.or_null(s.integer(), "1 is claimed next; null when it does not wait"),
        "eta_seconds": s.or_null(s.number(), "until it is done, at worst; null where nothing measured says so"),
        "eta_seconds_low": s.or_null(s.number(), "the same at best"),
        "heartbeat_age": s.or_null(s.number(), "seconds since its last sign of life; null unless it runs"),
        "error_kind": s.text(),
        "error_text": s.text(),
        "attempts": s.array(s.free("one attempt that ended badly: attempt, at, worker, kind, text")),
        "is_imported": s.flag(),
        "rerun_of": s.or_null(s.integer()),
        "reruns": s.array(s.integer()),
        "reason": s.text("why it was run again"),
        "withdrawn_at": s.or_null(s.time()),
        "withdrawn_reason": s.text(),
        "created_at": s.time(),
        "started_at": s.or_null(s.time()),
        "finished_at": s.or_null(s.time()),
        "provenance": s.free("revision, suite, settings and environment as run; the run's fingerprint"),
        "results": s.array(RESULT, "the tasks published so far"),
    }
)
EXAMPLE = {
    "id": 12,
    "model": "maker/model-7b",
    "revision": "maker/model-7b@0123abcd-bfloat16",
    "suite": "ko-basic",
    "suite_version": 1,
    "status": "running",
    "lane": "gpu",
    "attempt": 1,
    "progress": {"done": 120, "total": 480},
    "stage": "ko_basic_grammar_gen",
    "position": None,
    "eta_seconds": 90.0,
    "eta_seconds_low": 45.0,
    "heartbeat_age": 1.2,
    "error_kind": "",
    "error_text": "",
    "attempts": [],
    "is_imported": False,
    "rerun_of": None,
    "reruns": [],
    "reason": "",
    "withdrawn_at": None,
    "withdrawn_reason": "",
    "created_at": "2026-09-01T09:00:00Z",
    "started_at": "2026-09-01T09:01:00Z",
    "finished_at": None,
    "provenance": {"fingerprint": "5f2a", "suite": {"slug": "ko-basic", "version": 1}, "settings": {"seed": 1234}},
    "results": [],
}


@endpoint(
    path="/api/v1/runs/{id}",
    route="runs/<int:id>",
    name="run",
    summary=gettext_lazy("Run"),
    description=gettext_lazy("One run from the line to the last hash; progress and times while it is under way."),
    response=RUN,
    example=EXAMPLE,
    path_parameters={"id": s.integer(gettext_noop("number of a run"))},
    trial="/api/v1/runs/1",
    statuses=(400, 404),
    is_live=True,
)
def run(request: HttpRequest, id: int) -> dict[str, Any]:
    """Four queries, and four more while it is under way."""
    found = find(id)
    line = Line.now() if found.is_active else None
    eta = line.eta(found.pk) if line else None
    return {
        "id": found.pk,
        "model": found.revision.language_model.slug,
        "revision": found.revision.slug,
        "suite": found.suite.slug,
        "suite_version": found.suite.version,
        "status": found.status,
        "lane": found.lane,
        "attempt": found.attempt,
        "progress": {"done": found.progress_done, "total": found.progress_total},
        "stage": found.stage,
        "position": line.position(found.pk) if line else None,
        "eta_seconds": eta[1] if eta else None,
        "eta_seconds_low": eta[0] if eta else None,
        "heartbeat_age": found.heartbeat_age(),
        "error_kind": found.error_kind,
        "error_text": found.error_text,
        "attempts": found.attempts_log,
        "is_imported": found.is_imported,
        "rerun_of": found.rerun_of_id,
        "reruns": list(found.reruns.order_by("pk").values_list("pk", flat=True)),
        "reason": found.reason,
        "withdrawn_at": found.withdrawn_at,
        "withdrawn_reason": found.withdrawn_reason,
        "created_at": found.created_at,
        "started_at": found.started_at,
        "finished_at": found.finished_at,
        "provenance": provenance(found),
        "results": [_result(result) for result in _results(found)],
    }


def find(run_id: int) -> EvaluationRun:
    """A run with its revision and suite. Raises ApiError 404. One query."""
    found = None
    if run_id <= MAX_ID:
        rows = EvaluationRun.objects.select_related("suite", "revision__language_model", "revision__endpoint")
        found = rows.defer("log_tail").filter(pk=run_id).first()
    if found is None:
        message = _("There is no run %(run)s. /api/v1/queue and a model's runs name them.") % {"run": run_id}
        raise ApiError(404, message, "id", str(run_id))
    return found


def provenance(run: EvaluationRun) -> dict[str, Any]:
    """What the numbers rest on. Where a server stands and its key's name are nobody's business."""
    revision, endpoint = run.revision, run.revision.endpoint
    return {
        "fingerprint": run.fingerprint,
        "revision": {
            "slug": revision.slug,
            "backend": revision.backend,
            "hub_id": revision.hub_id,
            "commit_sha": revision.commit_sha,
            "api_name": revision.api_name,
            "endpoint": endpoint.slug if endpoint is not None else None,
            "dtype": revision.dtype,
            "quantization": revision.quantization,
            "chat_template_sha": revision.chat_template_sha,
        },
        "suite": {
            "slug": run.suite.slug,
            "version": run.suite.version,
            "definition_sha": run.suite.definition_sha,
        },
        "settings": run.settings,
        "environment": {key: value for key, value in run.environment.items() if key != "base_url"},
        "worker": run.worker,
    }


def _results(run: EvaluationRun) -> list[TaskResult]:
    return list(TaskResult.objects.filter(run=run).select_related("task").defer("item_scores").order_by("pk"))


def _result(result: TaskResult) -> dict[str, Any]:
    same = ("value", "stderr", "n_docs", "n_scored", "n_failed", "n_no_answer", "n_truncated", "metrics", "seconds",
            "prompt_tokens", "completion_tokens", "task_hash", "dataset_fingerprint")  # fmt: skip
    values = {name: getattr(result, name) for name in same}
    return {"task": result.task.name, **values, "config_sha": result.task.config_sha}
