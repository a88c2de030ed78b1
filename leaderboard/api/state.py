"""The queue and the processes behind it as the database has them: one reading for the API, /healthz and /metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q
from django.utils import timezone

from runners.dispatch import LANE as RECONCILER
from runners.models import EvaluationRun, Worker
from runners.models.runs import ACTIVE
from runners.waiting import LIVE


@dataclass(frozen=True)
class LaneState:
    """One lane. `oldest_waiting_seconds` is None when nothing waits; workers are those alive and not draining."""

    lane: str
    waiting: int
    running: int
    judging: int
    workers: int
    oldest_waiting_seconds: float | None


@dataclass(frozen=True)
class State:
    """Lanes in the order of the settings, workers by name, the reconciler (None: never seen)."""

    at: datetime
    lanes: list[LaneState]
    workers: list[Worker]
    reconciler: Worker | None

    @property
    def reconciler_age(self) -> float | None:
        """Seconds since the reconciler's last sign of life."""
        return None if self.reconciler is None else age(self.reconciler, self.at)

    @property
    def reconciler_is_alive(self) -> bool:
        return self.reconciler_age is not None and self.reconciler_age <= LIVE.total_seconds()


def age(worker: Worker, at: datetime) -> float:
    """Seconds between a worker's last sign of life and `at`."""
    return max(0.0, (at - worker.heartbeat_at).total_seconds())


def is_alive(worker: Worker, at: datetime) -> bool:
    return at - worker.heartbeat_at <= LIVE


def read() -> State:
    """Two queries. Raises django.db.Error when the database is away."""
    at = timezone.now()
    everyone = list(Worker.objects.order_by("name"))
    reconcilers = sorted((w for w in everyone if w.lane == RECONCILER), key=lambda w: w.heartbeat_at)
    workers = [worker for worker in everyone if worker.lane != RECONCILER]
    counts = _counts()
    names = [*settings.LANES, *sorted((set(counts) | {w.lane for w in workers}) - set(settings.LANES))]
    lanes = [_lane(name, counts.get(name, {}), workers, at) for name in names]
    return State(at, lanes, workers, reconcilers[-1] if reconcilers else None)


def _counts() -> dict[str, dict[str, Any]]:
    states = {status: Count("pk", filter=Q(status=status)) for status in ACTIVE}
    oldest = Min("created_at", filter=Q(status="queued"))
    rows = EvaluationRun.objects.active().order_by().values("lane").annotate(**states, oldest=oldest)
    return {str(row["lane"]): {**row} for row in rows}


def _lane(name: str, counts: Mapping[str, Any], workers: list[Worker], at: datetime) -> LaneState:
    oldest = counts.get("oldest")
    return LaneState(
        lane=name,
        waiting=counts.get("queued", 0),
        running=counts.get("running", 0),
        judging=counts.get("judging", 0),
        workers=sum(w.lane == name and is_alive(w, at) and not w.is_draining for w in workers),
        oldest_waiting_seconds=max(0.0, (at - oldest).total_seconds()) if oldest else None,
    )
