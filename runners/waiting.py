"""The line as it stands: who waits where, and when a run may be done, from what earlier runs really took."""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from django.db.models import Q
from django.utils import timezone

from runners.models import EvaluationRun, ModelRevision, SuiteTask, Task, Worker

# A worker that has been silent for longer is not counted on.
LIVE = timedelta(seconds=60)
# Speeds come from so many of the newest finished runs of a suite in a lane.
MEASURED_RUNS = 20
# What one run's own speed so far may be off by, and what a single earlier run says about another model.
OWN_LOW, OWN_HIGH = 0.75, 1.5
LONE_LOW, LONE_HIGH = 0.5, 2.0

Seconds = tuple[float, float]
UNKNOWN: Seconds = (0.0, math.inf)


def position(run: EvaluationRun) -> int | None:
    """1 for the run that is claimed next in its lane; None for a run that does not wait. One query."""
    if run.status != EvaluationRun.Status.QUEUED:
        return None
    earlier = Q(created_at__lt=run.created_at) | Q(created_at=run.created_at, pk__lt=run.pk)
    ahead = Q(priority__gt=run.priority) | Q(priority=run.priority) & earlier
    return EvaluationRun.objects.in_line(run.lane).filter(ahead).count() + 1


def eta(run: EvaluationRun) -> Seconds | None:
    """Seconds until the run is done, at best and at worst; None where nothing measured says so."""
    return Line.now().eta(run.pk)


@dataclass(frozen=True)
class Bond:
    """The one machine that may take a run, as its lane's workers there were last heard.

    state: "live"; "drained" (heard, but none takes a run); "silent" since `heard_at`; "gone" (no worker is known).
    """

    host: str
    state: Literal["live", "drained", "silent", "gone"]
    heard_at: datetime | None


@dataclass(frozen=True)
class Line:
    """The queue at one moment, for every lane. Times are seconds from `at`.

    `runs`: waiting and running, in the order of the line; `fleet`: every worker that reported itself lately, alive or
    not; `workers`: how many of them can be counted on, by lane.
    """

    at: datetime
    runs: Sequence[EvaluationRun]
    fleet: Sequence[Worker]
    positions: Mapping[int, int]
    spans: Mapping[int, Seconds]
    workers: Mapping[str, int]

    def position(self, run_id: int) -> int | None:
        """1 for the next in its lane; None for a run that does not wait."""
        return self.positions.get(run_id)

    def eta(self, run_id: int) -> Seconds | None:
        """Seconds until the run is done, at best and at worst; None where that is not known."""
        span = self.spans.get(run_id, UNKNOWN)
        return None if math.isinf(span[1]) else span

    def bond(self, run: EvaluationRun) -> Bond | None:
        """What a run that is bound to a machine waits for; None for a run that any may take."""
        return _bond(run, self.fleet, self.at) if run.only_host else None

    @classmethod
    def now(cls) -> Line:
        """The line as the database has it. Four queries whatever its length."""
        at = timezone.now()
        active = list(
            EvaluationRun.objects.filter(status__in=("queued", "running"))
            .select_related("revision__endpoint", "revision__language_model", "suite")
            .order_by("-priority", "created_at", "id")
            .defer("log_tail", "environment", "attempts_log", "error_text")
        )
        fleet = list(Worker.objects.select_related("current_run").order_by("lane", "name"))
        alive = [worker for worker in fleet if worker.heartbeat_at > at - LIVE and not worker.is_draining]
        workers = Counter(worker.lane for worker in alive)
        hosts = {lane: {worker.host for worker in alive if worker.lane == lane} for lane in {r.lane for r in active}}
        pace = _Pace.of({run.suite_id for run in active})
        positions: dict[int, int] = {}
        spans: dict[int, Seconds] = {}
        for lane in {run.lane for run in active}:
            runs = [run for run in active if run.lane == lane]
            waiting = [run for run in runs if run.status == "queued"]
            positions |= {run.pk: place for place, run in enumerate(waiting, start=1)}
            # A machine that is away keeps its runs, and nobody else waits for those.
            able = [run for run in waiting if not run.only_host or _bond(run, fleet, at).state == "live"]
            spans |= _schedule([run for run in runs if run.status == "running"], able, workers[lane], pace, at)
            spans |= {run.pk: UNKNOWN for run in waiting if run.only_host and hosts[lane] != {run.only_host}}
        return cls(at, active, fleet, positions, spans, workers)


def _bond(run: EvaluationRun, fleet: Iterable[Worker], at: datetime) -> Bond:
    there = [worker for worker in fleet if (worker.lane, worker.host) == (run.lane, run.only_host)]
    heard = [worker for worker in there if worker.heartbeat_at > at - LIVE]
    last = max((worker.heartbeat_at for worker in there), default=None)
    if any(not worker.is_draining for worker in heard):
        return Bond(run.only_host, "live", last)
    return Bond(run.only_host, "drained" if heard else "silent" if there else "gone", last)


@dataclass
class _Pace:
    """Items of each suite's tasks and seconds per item of its earlier runs, by lane and backend.

    A reference player in the same lane says nothing about a served model.
    """

    tasks: dict[int, list[tuple[str, int | None]]] = field(default_factory=lambda: defaultdict(list))
    speeds: dict[tuple[int, str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, suites: Iterable[int]) -> _Pace:
        suites, pace = list(suites), cls()
        rows = SuiteTask.objects.filter(suite__in=suites).values_list("suite_id", "task__mode", "task__n_docs")
        for suite_id, mode, n_docs in rows:
            pace.tasks[suite_id].append((mode, n_docs))
        earlier = (
            EvaluationRun.objects.filter(suite__in=suites, status="finished", is_imported=False, attempt=1)
            .exclude(started_at=None)
            .exclude(finished_at=None)
            .select_related("revision__endpoint")
            .only("suite", "lane", "settings", "started_at", "finished_at", "revision__backend",
                  "revision__endpoint__supports_likelihood")
            .order_by("-finished_at")[: MEASURED_RUNS * max(len(suites), 1)]
        )  # fmt: skip
        for run in earlier:
            items, speeds = pace.items(run), pace.speeds[run.suite_id, run.lane, who_answers(run)]
            if items and len(speeds) < MEASURED_RUNS and run.started_at and run.finished_at:
                speeds.append((run.finished_at - run.started_at).total_seconds() / items)
        return pace

    def items(self, run: EvaluationRun) -> int | None:
        """How many items the run asks; None where a task has not told its size yet."""
        limit, endpoint = run.settings.get("limit"), run.revision.endpoint
        generation_only = run.revision.backend == ModelRevision.Backend.API and not (
            endpoint is not None and endpoint.supports_likelihood
        )
        sizes = [n for mode, n in self.tasks[run.suite_id] if mode == Task.Mode.GENERATE or not generation_only]
        if not sizes or any(n is None for n in sizes):
            return None
        return sum(n if limit is None else min(n, limit) for n in sizes if n is not None)

    def span(self, run: EvaluationRun, items: int | None) -> Seconds:
        """Seconds for so many items of the run's suite on its backend in its lane."""
        speeds = self.speeds.get((run.suite_id, run.lane, who_answers(run)), [])
        if not speeds or items is None:
            return UNKNOWN
        if len(speeds) == 1:
            return items * speeds[0] * LONE_LOW, items * speeds[0] * LONE_HIGH
        return items * min(speeds), items * max(speeds)

    def left(self, run: EvaluationRun, at: datetime) -> Seconds:
        """Seconds a running run still needs: by its own speed in a first attempt, else by earlier runs'.

        Unknown where its worker has been silent: the attempt may be lost.
        """
        items = run.progress_total or self.items(run)
        if items is None or run.heartbeat_at is None or run.heartbeat_at < at - LIVE:
            return UNKNOWN
        remaining = max(items - run.progress_done, 0)
        if run.attempt == 1 and run.progress_done and run.started_at:
            own = (at - run.started_at).total_seconds() / run.progress_done * remaining
            return own * OWN_LOW, own * OWN_HIGH
        return self.span(run, remaining)


def who_answers(run: EvaluationRun) -> str:
    """What decides how fast a run is: its model's backend, or that its answers are there already."""
    return "stored" if run.answers_of else run.revision.backend


def _schedule(
    running: list[EvaluationRun], waiting: list[EvaluationRun], workers: int, pace: _Pace, at: datetime
) -> dict[int, Seconds]:
    """Seconds until each run is done when every free worker takes the next in line.

    A run of unknown length may take no time or for ever; whoever does not have to wait for it stays known.
    """
    spans = {run.pk: pace.left(run, at) for run in running}
    if not workers:
        return {**{run.pk: UNKNOWN for run in waiting}, **spans}
    idle = max(workers - len(running), 0)
    ends = [[span[side] for span in spans.values()] + [0.0] * idle for side in (0, 1)]
    for side in ends:
        heapq.heapify(side)
    for run in waiting:
        pause = (run.not_before - at).total_seconds() if run.not_before else 0.0
        length = pace.span(run, pace.items(run))
        done = []
        for side, seconds in zip(ends, length, strict=True):
            done.append(max(heapq.heappop(side), pause) + seconds)
            heapq.heappush(side, done[-1])
        spans[run.pk] = done[0], done[1]
    return spans
