"""The supervisor of one attempt: claims the run, starts the evaluation child, keeps the lease, publishes task by task.

It holds the attempt's token and the database; the child holds the model. Either may die at any point: the lease, not
the queue, decides, and what was answered stays (docs/running.md).
"""

from __future__ import annotations

import functools
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from runners import extraction, fetching, machines, record, runs, specify
from runners.adapters.harness import Child
from runners.attempts import Attempt, Cancelled, Drained, Failure, Lost, Pulse, Stopped, beat
from runners.logs import for_the_public
from runners.models import EvaluationRun, Worker
from runners.reports import Event, RunSpec, TaskReport

__all__ = ["Attempt", "Cancelled", "Drained", "Failure", "Lost", "Pulse", "Stopped", "execute"]
log = logging.getLogger(__name__)


# How a suite of a kind is run where it is not by the evaluation child; other floors put theirs in when they start.
# An executor ends the run itself (finished, or to its judges), calls its pulse at least every second, and lets what
# the pulse raises pass.
Executor = Callable[["Attempt", "Pulse"], None]
EXECUTORS: dict[str, Executor] = {}
# What takes a run on from a status in this process (`evaluate --now`): run id in, False where nothing was to claim.
PHASES: dict[str, Callable[[int], bool]] = {}


def execute(
    run_id: int,
    *,
    worker: str = "",
    on_beat: Callable[[Attempt], None] | None = None,
    draining: Callable[[], bool] = lambda: False,
) -> bool:
    """One attempt at run `run_id`, to its end, and then at others that wait for the same loaded model.

    False where there was nothing to claim. on_beat is called after every heartbeat (a progress bar, a worker's own sign
    of life); draining is asked at every heartbeat and makes the attempt give its run back.
    """
    worker = worker or machines.here()
    claim = runs.claim(run_id, worker)
    if claim is None:
        return False
    session = Session(on_beat, draining)
    try:
        while claim is not None:
            conclude(claim, functools.partial(session.run, claim), lambda: session.log)
            claim = session.next_claim(worker)
    finally:
        session.end()
    return True


class Session:
    """Runs that share one loaded model: the child, and the run it did last."""

    def __init__(self, on_beat: Callable[[Attempt], None] | None, draining: Callable[[], bool]) -> None:
        self.on_beat, self.draining = on_beat, draining
        self._child: Child | None = None
        self._last: EvaluationRun | None = None

    def run(self, claim: runs.Claim) -> None:
        """The work of one attempt; raises how it ended, if not well."""
        self._last = None
        run = EvaluationRun.objects.select_related("revision__endpoint", "suite").get(pk=claim.run_id)
        _check_disk()
        attempt = Attempt(claim, run, {}, session=self)
        pulse = Pulse(attempt, self.on_beat, self.draining)
        if executor := EXECUTORS.get(run.suite.kind):
            executor(attempt, pulse)
            self._last = run
            return
        if run.answers_of:
            spec = extraction.run_spec(run, claim.attempt)
        else:
            fetching.fetch(run.revision, pulse)
            spec = specify.run_spec(run, claim.attempt)
        attempt = Attempt(claim, run, {task.name: task for task in specify.open_tasks(run)})
        if spec.tasks:
            self._ask(spec)
            self._watch(attempt)
        runs.finish(claim)
        shutil.rmtree(run.workdir, ignore_errors=True)
        self._last = run

    def serve(self, attempt: Attempt, pulse: Pulse) -> dict[str, Any]:
        """The attempt's model behind an OpenAI-compatible server on the loopback: base_url, concurrency.

        It serves until the session's next run or its end; from now on `pulse` raises when its process is gone.
        """
        fetching.fetch(attempt.run.revision, pulse)
        self._ask(specify.conversation_spec(attempt.run, attempt.claim.attempt))
        self._watch(attempt)
        pulse.look = self._watch_on(attempt)
        return attempt.serving

    def next_claim(self, worker: str) -> runs.Claim | None:
        """A waiting run of the model that is loaded, so that it is loaded once for all its suites."""
        run, child = self._last, self._child
        if run is None or child is None or child.gone or run.lane != "gpu" or self.draining():
            return None
        if Worker.objects.filter(name=worker, is_draining=True).exists():
            return None
        mine = EvaluationRun.objects.in_line(run.lane).for_host(machines.here())
        waiting = mine.filter(revision=run.revision).values_list("pk", flat=True)
        return next(filter(None, (runs.claim(pk, worker) for pk in waiting[:8])), None)

    @property
    def log(self) -> str:
        return self._child.log if self._child is not None else ""

    def end(self) -> None:
        """No further run: the child unloads its model and goes."""
        if self._child is not None and self._child.process.poll() is None:
            self._child.stop()

    def _ask(self, spec: RunSpec) -> None:
        if self._child is not None and not self._child.gone and self._child.serves(spec):
            self._child.send(spec)
            return
        self.end()
        self._child = Child(spec)

    def _watch(self, attempt: Attempt) -> None:
        """Follows the child until it has finished the run; raises how it ended, if not well."""
        child = self._child
        assert child is not None
        while not attempt.finished:
            for event in child.events(settings.BEAT_SECONDS / 2):
                _take(attempt, event)
            if child.gone and not attempt.finished:
                raise _death(child)
            if time.monotonic() - attempt.last_beat >= settings.BEAT_SECONDS:
                self._beat(attempt, child)

    def _watch_on(self, attempt: Attempt) -> Callable[[], None]:
        """What to look at while the attempt talks to the child's model; raises how the child ended or stalled."""
        child, done, moved_at = self._child, -1, time.monotonic()
        assert child is not None

        def look() -> None:
            nonlocal done, moved_at
            for event in child.events(0.001):
                _take(attempt, event)
            if child.gone:
                raise _death(child)
            if attempt.done != done:
                done, moved_at = attempt.done, time.monotonic()
            elif time.monotonic() - moved_at > settings.STALL_SECONDS:
                child.kill()
                raise _stalled(settings.STALL_SECONDS, "talking")

        return look

    def _beat(self, attempt: Attempt, child: Child) -> None:
        """A heartbeat, and everything that may end the attempt at one."""
        now = attempt.last_beat = time.monotonic()
        if not beat(attempt, child.log):
            child.kill()
            raise Lost("another attempt has taken over")
        if self.on_beat is not None:
            self.on_beat(attempt)
        if runs.cancel_requested(attempt.claim):
            child.stop()
            raise Cancelled("asked to stop")
        if self.draining():
            child.stop()
            raise Drained("the worker was asked to leave; the run waits for the next one")
        limit = settings.STALL_SECONDS if attempt.loaded else settings.LOADING_SECONDS
        if now - attempt.moved_at > limit:
            child.kill()
            raise _stalled(limit, attempt.stage)


def conclude(claim: runs.Claim, work: Callable[[], None], log_of: Callable[[], str] = lambda: "") -> None:
    """Does the work of an attempt and writes down how it ended, where it did not end well."""
    log.info("run %s attempt %s begins", claim.run_id, claim.attempt)
    try:
        work()
        log.info("run %s attempt %s is done", claim.run_id, claim.attempt)
    except Lost as stop:
        log.warning("run %s attempt %s: %s", claim.run_id, claim.attempt, stop)
    except Cancelled:
        runs.cancelled(claim)
    except Drained as stop:
        runs.release(claim, str(stop))
    except (Failure, specify.CannotRun) as failure:
        runs.fail(claim, failure.kind, for_the_public(failure.message), permanent=failure.permanent, log=log_of())
        log.warning("run %s attempt %s failed (%s)", claim.run_id, claim.attempt, failure.kind)
    except Exception as error:
        log.exception("run %s attempt %s broke", claim.run_id, claim.attempt)
        runs.fail(claim, "internal", for_the_public(f"{type(error).__name__}: {error}"), permanent=False, log=log_of())


def _take(attempt: Attempt, event: Event) -> None:
    """One event of the child, taken in."""
    if event.kind == "progress":
        if event.done != attempt.done:
            attempt.moved_at = time.monotonic()
        attempt.done = event.done or 0
        attempt.total = event.total if event.total is not None else attempt.total
        attempt.loaded, attempt.stage = True, event.task or attempt.stage
    elif event.kind == "loading":
        attempt.stage, attempt.moved_at = event.message or "loading", time.monotonic()
    elif event.kind == "environment":
        if not runs.note_environment(attempt.claim, event.data):
            raise Lost("another attempt has taken over")
    elif event.kind == "task" and event.task:
        attempt.moved_at = time.monotonic()
        publish(attempt, event.task)
    elif event.kind == "serving":
        attempt.serving = event.data
    elif event.kind == "failed":
        raise Failure(event.error_kind or "unknown", event.message or "The evaluation failed.", bool(event.permanent))
    elif event.kind == "finished":
        attempt.finished = True


def publish(attempt: Attempt, name: str) -> None:
    """Puts a finished task on the board while the rest of the run goes on."""
    folder = Path(attempt.run.workdir)
    report = TaskReport.from_json((folder / f"{name}.report.json").read_text())
    try:
        record.store_task(attempt.claim, attempt.tasks[name], report, folder / f"{name}.samples.jsonl")
    except record.Fenced as fenced:
        raise Lost(str(fenced)) from fenced


def _check_disk() -> None:
    free = shutil.disk_usage(settings.HOME).free
    if free < settings.MIN_FREE_BYTES:
        raise Failure(
            "disk_full",
            f"Only {free / 1024**2:.0f} MB are free in the data directory; "
            f"{settings.MIN_FREE_BYTES / 1024**2:.0f} MB are needed. Free some space; the run will be tried again.",
            False,
        )


def _stalled(seconds: float, stage: str) -> Failure:
    return Failure("stalled", f"No answer came for {seconds / 60:.0f} minutes ({stage}).", False)


def _death(child: Child) -> Failure:
    """What to say of a child that ended without a word."""
    code = child.process.returncode
    if code == -9:
        return Failure("killed", "The evaluation process was killed, most likely because memory ran out.", False)
    return Failure("child_died", f"The evaluation process ended early with exit status {code}.", False)
