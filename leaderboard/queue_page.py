"""The queue as it is: who waits where and for how long, what runs, what failed and why, and who is at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from leaderboard.explanations import Explanation, explain
from runners import schema
from runners.models import EvaluationRun, SuiteTask, Worker
from runners.waiting import LIVE, Line, Seconds

LATEST = 20
LOG_LINES = 50
# A sign of life comes every few seconds; what is older than this is late, older than LIVE silent.
LATE_SECONDS = 20.0
RECONCILER = "reconciler"
LANES: dict[str, str | Promise] = {
    "eval": _("Served models and reference players"),
    "gpu": _("Models on our own GPUs"),
    "judge": _("Judges"),
}


@dataclass(frozen=True)
class Entry:
    """A run in the line or at work. `life`: ok, late or silent, by its last sign of life; nothing while it waits."""

    run: EvaluationRun
    position: int | None
    eta: Seconds | None
    life: str = ""
    last_failure: Explanation | None = None


@dataclass(frozen=True)
class Lane:
    name: str
    title: str | Promise
    entries: list[Entry]
    n_workers: int


@dataclass(frozen=True)
class Failed:
    run: EvaluationRun
    explanation: Explanation
    log: str


@dataclass(frozen=True)
class Seat:
    """A worker with how lively it is: ok, late or silent."""

    worker: Worker
    life: str

    @property
    def is_unfit(self) -> bool:
        """Whether it takes no run because it is not of the database's version."""
        return self.worker.note.startswith((schema.NEWER, schema.OLDER))


@dataclass(frozen=True)
class QueuePage:
    """Everything the page shows. `reconciler` None: none has reported itself, so nothing is handed out."""

    running: list[Entry]
    lanes: list[Lane]
    finished: Sequence[EvaluationRun]
    failed: list[Failed]
    seats: list[Seat]
    reconciler: Seat | None
    max_attempts: int = field(default_factory=lambda: settings.MAX_ATTEMPTS)

    @property
    def n_waiting(self) -> int:
        return sum(len(lane.entries) for lane in self.lanes)

    @property
    def n_alive(self) -> int:
        return sum(seat.life != "silent" for seat in self.seats)

    @property
    def mark(self) -> str:
        """Changes when a run has ended."""
        ended = [*self.finished, *(failed.run for failed in self.failed)]
        return str(max((run.finished_at.timestamp() for run in ended if run.finished_at), default=0))


def read() -> QueuePage:
    """The queue now. Seven queries whatever its length."""
    line = Line.now()
    running = [_entry(line, run) for run in line.runs if run.status == "running"]
    waiting = [_entry(line, run) for run in line.runs if run.status == "queued"]
    names = [lane for lane in settings.LANES if lane in LANES]
    others = {entry.run.lane for entry in waiting} - set(names)
    lanes = [
        Lane(name, LANES.get(name, name), [e for e in waiting if e.run.lane == name], line.workers.get(name, 0))
        for name in [*names, *sorted(others)]
    ]
    seats = [Seat(worker, life(worker.heartbeat_age())) for worker in line.fleet]
    return QueuePage(
        running=running,
        lanes=[lane for lane in lanes if lane.entries or lane.n_workers],
        finished=_latest("finished"),
        failed=_failed(),
        seats=[seat for seat in seats if seat.worker.lane != RECONCILER],
        reconciler=next(
            (s for s in sorted(seats, key=lambda s: s.worker.heartbeat_age()) if s.worker.lane == RECONCILER), None
        ),
    )


def life(age: float | None) -> str:
    """ok, late or silent for a sign of life `age` seconds old."""
    if age is None or age > LIVE.total_seconds():
        return "silent"
    return "late" if age > LATE_SECONDS else "ok"


def _entry(line: Line, run: EvaluationRun) -> Entry:
    return Entry(
        run,
        line.position(run.pk),
        line.eta(run.pk),
        life(run.heartbeat_age()) if run.status == "running" else "",
        explain(run.error_kind) if run.error_kind else None,
    )


def _latest(status: str) -> list[EvaluationRun]:
    return list(
        EvaluationRun.objects.filter(status=status, is_imported=False)
        .select_related("suite", "revision__language_model")
        .defer("environment", "attempts_log")
        .order_by("-finished_at")[:LATEST]
    )


def _failed() -> list[Failed]:
    runs = _latest("failed")
    private = set(
        SuiteTask.objects.filter(
            suite__in={run.suite_id for run in runs}, task__benchmark__is_private=True
        ).values_list("suite_id", flat=True)
    )
    return [
        Failed(
            run,
            explain(run.error_kind),
            "" if run.suite_id in private else "\n".join(run.log_tail.splitlines()[-LOG_LINES:]),
        )
        for run in runs
    ]
