"""A run as its page tells it: how far it came, when it will be done, what came out, why it failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from leaderboard.aggregate import Average, Cell, macro_average
from leaderboard.explanations import Explanation, explain
from runners import specify
from runners.models import EvaluationRun, Suite, SuiteTask, Task, TaskResult
from runners.waiting import Bond, Line, Seconds

ENDED = ("finished", "failed", "cancelled")
LOG_LINES = 12


@dataclass(frozen=True)
class Step:
    """One station of a run. state: done, now, bad, or nothing for what is still to come."""

    title: str | Promise
    state: str
    at: datetime | None = None


@dataclass(frozen=True)
class TaskLine:
    """A task of the suite with its result, or with why there is none (yet)."""

    task: Task
    in_headline: bool
    group: str
    result: TaskResult | None
    missing: str | Promise = ""


@dataclass(frozen=True)
class Ended:
    """One attempt that ended badly."""

    attempt: int
    at: datetime | None
    worker: str
    kind: str
    text: str
    explanation: Explanation


@dataclass(frozen=True)
class RunPage:
    """All that the live part of a run's page shows."""

    run: EvaluationRun
    steps: list[Step]
    lines: list[TaskLine]
    average: Average
    position: int | None
    bond: Bond | None
    eta: Seconds | None
    elapsed: float | None
    attempts: list[Ended]
    explanation: Explanation | None
    log: str
    is_private: bool

    @property
    def max_attempts(self) -> int:
        return settings.MAX_ATTEMPTS

    @property
    def is_live(self) -> bool:
        return self.run.is_active

    @property
    def is_judged(self) -> bool:
        """Whether judges rate the answers, so that the results stand on the pages of the question set."""
        return self.run.suite.kind == Suite.Kind.MULTI_TURN

    @property
    def n_done(self) -> int:
        return sum(line.result is not None for line in self.lines)

    @property
    def state(self) -> str:
        """What a poll compares to know whether more than figures has changed."""
        return f"{self.run.status}.{self.run.attempt}.{self.n_done}"


def load(run_id: int) -> EvaluationRun | None:
    return (
        EvaluationRun.objects.filter(pk=run_id)
        .select_related("suite", "revision__language_model", "revision__endpoint", "rerun_of")
        .first()
    )


def read(run: EvaluationRun) -> RunPage:
    """The page of a run. Three queries, and four more while it is under way."""
    line = Line.now() if run.is_active else None
    lines = _lines(run)
    private = any(entry.task.benchmark.is_private for entry in lines)
    headline = [entry.result for entry in lines if entry.in_headline]
    cells = [Cell(result.value, result.stderr) if result is not None else Cell(None) for result in headline]
    return RunPage(
        run=run,
        steps=timeline(run),
        lines=lines,
        average=macro_average(cells),
        position=line.position(run.pk) if line else None,
        bond=line.bond(run) if line and run.status == "queued" else None,
        eta=line.eta(run.pk) if line else None,
        elapsed=_elapsed(run),
        attempts=[_ended(entry) for entry in run.attempts_log],
        explanation=explain(run.error_kind) if run.error_kind else None,
        log="" if private else "\n".join(run.log_tail.splitlines()[-LOG_LINES:]),
        is_private=private,
    )


def timeline(run: EvaluationRun) -> list[Step]:
    """Waiting, preparing, answering, scoring, done: which is reached, and where it ended if it ended badly.

    An imported run was made elsewhere and has only the day it came.
    """
    if run.is_imported:
        return [Step(_("imported"), "done", run.finished_at)]
    titles = [_("waiting"), _("preparing"), _("answering"), _("scoring")]
    here = _stage(run)
    times = [run.created_at, run.started_at, None, None]
    if run.status in ENDED:
        good = run.status == "finished"
        here = len(titles) if good else here
        steps = [Step(t, "done" if i <= here else "", times[i]) for i, t in enumerate(titles)]
        return [*steps, Step(run.get_status_display(), "done" if good else "bad", run.finished_at)]
    states = ["done" if i < here else "now" if i == here else "" for i in range(len(titles))]
    steps = [Step(title, state, at) for title, state, at in zip(titles, states, times, strict=True)]
    return [*steps, Step(_("done"), "")]


def _stage(run: EvaluationRun) -> int:
    if run.status == "queued" or run.started_at is None:
        return 0
    if run.status == "judging" or (run.progress_total and run.progress_done >= run.progress_total):
        return 3
    return 2 if run.progress_done else 1


def _lines(run: EvaluationRun) -> list[TaskLine]:
    results = {
        result.task_id: result
        for result in TaskResult.objects.filter(run=run).select_related("task").defer("item_scores")
    }
    places = SuiteTask.objects.filter(suite=run.suite).select_related("task__benchmark").order_by("order")
    return [
        TaskLine(
            place.task,
            place.in_headline,
            place.group,
            results.get(place.task_id),
            _missing(run, place.task) if place.task_id not in results else "",
        )
        for place in places
    ]


def _missing(run: EvaluationRun, task: Task) -> str | Promise:
    if not specify.can_run(run.revision, task):
        return _("A chat API gives no log-probabilities, so this task is not run.")
    if run.is_active:
        return _("Not done yet.")
    return _("The run ended before this task.")


def _elapsed(run: EvaluationRun) -> float | None:
    """Seconds from the first start to the end, or to now while it runs."""
    if run.started_at is None or run.status == "queued":
        return None
    end = run.finished_at or timezone.now()
    return max(0.0, (end - run.started_at).total_seconds())


def _ended(entry: dict[str, object]) -> Ended:
    at, attempt, kind = entry.get("at"), entry.get("attempt"), str(entry.get("kind", ""))
    return Ended(
        attempt=attempt if isinstance(attempt, int) else 0,
        at=datetime.fromisoformat(at) if isinstance(at, str) else None,
        worker=str(entry.get("worker", "")),
        kind=kind,
        text=str(entry.get("text", "")),
        explanation=explain(kind),
    )
