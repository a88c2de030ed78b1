"""The line: lanes, workers, and who waits or runs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from leaderboard.api import schemas as s
from leaderboard.api import state
from leaderboard.api.registry import endpoint
from leaderboard.api.runs import PROGRESS
from runners.models import EvaluationRun, Worker
from runners.waiting import Line

SHOWN = 200
LANE = s.record(
    {
        "lane": s.text(),
        "waiting": s.integer(),
        "running": s.integer(),
        "judging": s.integer(),
        "workers": s.integer("alive and taking runs"),
        "oldest_waiting_seconds": s.or_null(s.number(), "null when nothing waits"),
    }
)
WORKER = s.record(
    {
        "name": s.text(),
        "lane": s.text(),
        "gpu": s.text(),
        "version": s.text(),
        "heartbeat_age": s.number("seconds since its last sign of life"),
        "is_alive": s.flag(),
        "is_draining": s.flag("finishes what it has and takes nothing more"),
        "current_run": s.or_null(s.integer()),
        "note": s.text(),
    }
)
RECONCILER = s.record(
    {"heartbeat_age": s.or_null(s.number(), "null when it was never seen"), "is_alive": s.flag(), "note": s.text()}
)
ACTIVE = s.record(
    {
        "id": s.integer(),
        "model": s.text(),
        "revision": s.text(),
        "suite": s.text(),
        "status": s.one_of("queued", "running"),
        "lane": s.text(),
        "attempt": s.integer(),
        "position": s.or_null(s.integer()),
        "eta_seconds": s.or_null(s.number()),
        "eta_seconds_low": s.or_null(s.number()),
        "heartbeat_age": s.or_null(s.number()),
        "progress": PROGRESS,
        "created_at": s.time(),
    }
)


@endpoint(
    path="/api/v1/queue",
    route="queue",
    name="queue",
    summary=gettext_lazy("Queue"),
    description=gettext_lazy(
        "Lanes with their counts, workers with the age of their last sign of life, and the first 200 runs that run or "
        "wait, with position and time to go."
    ),
    response=s.record(
        {
            "at": s.time(),
            "lanes": s.array(LANE),
            "workers": s.array(WORKER),
            "reconciler": RECONCILER,
            "runs": s.array(ACTIVE, "running first, then in the order they will be claimed"),
        }
    ),
    example={
        "at": "2026-09-01T09:00:00Z",
        "lanes": [
            {"lane": "eval", "waiting": 1, "running": 0, "judging": 0, "workers": 2, "oldest_waiting_seconds": 3.5}
        ],
        "workers": [
            {
                "name": "eval-host-4242",
                "lane": "eval",
                "gpu": "",
                "version": "0.1.0",
                "heartbeat_age": 1.4,
                "is_alive": True,
                "is_draining": False,
                "current_run": None,
                "note": "",
            }
        ],
        "reconciler": {"heartbeat_age": 0.6, "is_alive": True, "note": ""},
        "runs": [],
    },
    trial="/api/v1/queue",
    is_live=True,
)
def queue(request: HttpRequest) -> dict[str, Any]:
    """Seven queries whatever its length."""
    now, line = state.read(), Line.now()
    running = EvaluationRun.objects.filter(status__in=("running", "queued"))
    rows = (
        running.select_related("suite", "revision__language_model")
        .defer("log_tail", "environment", "attempts_log", "error_text")
        .order_by("-status", "-priority", "created_at", "id")[:SHOWN]
    )
    active = list(rows)
    busy = {run.worker: run.pk for run in active if run.status == "running"}
    return {
        "at": now.at,
        "lanes": [vars(lane) for lane in now.lanes],
        "workers": [_worker(worker, now, busy.get(worker.name)) for worker in now.workers],
        "reconciler": {
            "heartbeat_age": now.reconciler_age,
            "is_alive": now.reconciler_is_alive,
            "note": now.reconciler.note if now.reconciler else "",
        },
        "runs": [_run(run, line) for run in active],
    }


def _worker(worker: Worker, now: state.State, run_id: int | None) -> dict[str, Any]:
    return {
        "name": worker.name,
        "lane": worker.lane,
        "gpu": worker.gpu,
        "version": worker.version,
        "heartbeat_age": state.age(worker, now.at),
        "is_alive": state.is_alive(worker, now.at),
        "is_draining": worker.is_draining,
        "current_run": run_id or worker.current_run_id,
        "note": worker.note,
    }


def _run(run: EvaluationRun, line: Line) -> dict[str, Any]:
    eta = line.eta(run.pk)
    return {
        "id": run.pk,
        "model": run.revision.language_model.slug,
        "revision": run.revision.slug,
        "suite": run.suite.slug,
        "status": run.status,
        "lane": run.lane,
        "attempt": run.attempt,
        "position": line.position(run.pk),
        "eta_seconds": eta[1] if eta else None,
        "eta_seconds_low": eta[0] if eta else None,
        "heartbeat_age": run.heartbeat_age(),
        "progress": {"done": run.progress_done, "total": run.progress_total},
        "created_at": run.created_at,
    }
