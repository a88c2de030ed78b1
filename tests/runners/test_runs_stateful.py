"""Any order of what can happen to runs: whatever comes, the invariants hold and a calm ends every run.

`make storm` tries 2,000 examples of 50 steps (STATEFUL_EXAMPLES, STATEFUL_STEPS); the fast lane tries a few.
"""

from __future__ import annotations

import os
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.utils import timezone
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from runners import record, runs
from runners.models import EvaluationRun, TaskResult
from runners.reports import Metric, TaskReport
from tests.factories import make_revision, make_samples, make_suite

EXAMPLES = int(os.environ.get("STATEFUL_EXAMPLES", "30"))
STEPS = int(os.environ.get("STATEFUL_STEPS", "30"))
ENDED = ("finished", "failed", "cancelled")
START = datetime(2026, 1, 1, tzinfo=timezone.get_default_timezone())
index = st.integers(0, 3)


class Clock:
    """The time that everything reads; it moves when the machine says so."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


CLOCK = Clock()


class Fleet(RuleBasedStateMachine):
    """Runs, a queue that forgets and repeats, and every claim ever made: the dead ones try to write too."""

    def __init__(self) -> None:
        super().__init__()
        CLOCK.now = START
        self.queue: list[int] = []
        self.claims: list[runs.Claim] = []
        self.ended: dict[int, str] = {}
        self._transaction = transaction.atomic()
        self._transaction.__enter__()

    @initialize(under_way=st.integers(0, 2))
    def found(self, under_way: int) -> None:
        """A small site with two runs, none, one or both of them under way: rules are left out at random, not these."""
        self.suite = make_suite(tasks=2)
        self.tasks = list(self.suite.tasks.all())
        self.revisions = [make_revision(backend="reference") for _ in range(2)]
        for n in range(2):
            self.submit(n, 0)
        self.hint()
        for _ in range(under_way):
            self.claim(0)

    def teardown(self) -> None:
        try:
            if hasattr(self, "suite"):
                self.calm()
        finally:
            transaction.set_rollback(True)
            self._transaction.__exit__(None, None, None)

    # What people do.

    @rule(n=st.integers(0, 1), seed=st.integers(0, 1))
    def submit(self, n: int, seed: int) -> None:
        mark = runs.fingerprint(self.revisions[n], self.suite, {"seed": seed})
        twin = EvaluationRun.objects.active().filter(fingerprint=mark).exists()
        try:
            runs.request(self.revisions[n], self.suite, run_settings={"seed": seed})
        except runs.AlreadyActive:
            assert twin
        else:
            assert not twin

    @rule(n=index)
    def cancel(self, n: int) -> None:
        if run := self._run(n):
            try:
                runs.cancel(run, "somebody")
            except runs.NotActive:
                assert run.status in ENDED

    @rule(n=index)
    def rerun(self, n: int) -> None:
        if run := self._run(n):
            try:
                again = runs.rerun(run, by="somebody", reason="to see")
            except runs.AlreadyActive:
                return
            assert again.rerun_of == run and run.status in ENDED

    # The reconciler and the queue.

    @rule(dies=st.booleans())
    def reconcile(self, dies: bool) -> None:
        """The reconciler's step; it may die between the queue and the database."""
        if dies:
            self.queue += [run.pk for run in runs.reconcile()]
        else:
            self.hint()

    def hint(self) -> None:
        waiting = [run.pk for run in runs.reconcile()]
        self.queue += waiting
        runs.hinted(waiting)
        old = CLOCK.now - timedelta(seconds=settings.HINT_SECONDS)
        assert not EvaluationRun.objects.unhinted(old).exists()
        assert not EvaluationRun.objects.filter(token__gt="", lease_until__lt=CLOCK.now).exists()

    @precondition(lambda self: self.queue)
    @rule(n=index)
    def duplicate(self, n: int) -> None:
        self.queue.append(self.queue[n % len(self.queue)])

    @rule(n=index)
    def flush(self, n: int) -> None:
        """Redis forgets everything but, at times, a few."""
        self.queue = self.queue[: n // 2]

    @rule(seconds=st.sampled_from([1.0, 10.0, 70.0, 130.0]))
    def time_passes(self, seconds: float) -> None:
        CLOCK.now += timedelta(seconds=seconds)

    # Workers, alive or not.

    @rule(n=index)
    def claim(self, n: int) -> None:
        if not self.queue:
            self.hint()
        if not self.queue:
            return
        run_id = self.queue.pop(n % len(self.queue))
        before = EvaluationRun.objects.get(pk=run_id)
        claim = runs.claim(run_id, f"worker-{len(self.claims)}")
        if claim is not None:
            assert before.status == "queued" and claim.attempt == before.attempt + 1
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(n=index)
    def beat(self, n: int) -> None:
        claim = self._claim(n)
        assert runs.beat(claim, done=1, total=2) == self._holds(claim)

    @precondition(lambda self: self.claims)
    @rule(n=index, task=st.integers(0, 1))
    def publish(self, n: int, task: int) -> None:
        claim = self._claim(n)
        holds = self._holds(claim)
        try:
            record.store_task(claim, self.tasks[task], *report_of(self.tasks[task]))
        except record.Fenced:
            assert not holds
        else:
            assert holds

    @precondition(lambda self: self.claims)
    @rule(n=index)
    def finish(self, n: int) -> None:
        """A supervisor finishes what is complete; one that was fenced off tries too."""
        claim = self._claim(n)
        holds = self._holds(claim)
        if holds and TaskResult.objects.filter(run=claim.run_id).count() < len(self.tasks):
            return
        assert runs.finish(claim) == holds

    @precondition(lambda self: self.claims)
    @rule(n=index, permanent=st.booleans())
    def fail(self, n: int, permanent: bool) -> None:
        claim = self._claim(n)
        holds = self._holds(claim)
        assert runs.fail(claim, "endpoint_down", "no answer", permanent=permanent) == holds

    @precondition(lambda self: self.claims)
    @rule(n=index)
    def drain(self, n: int) -> None:
        claim = self._claim(n)
        holds = self._holds(claim)
        assert runs.release(claim, "drained") == holds

    @precondition(lambda self: self.claims)
    @rule(n=index)
    def stop_when_asked(self, n: int) -> None:
        claim = self._claim(n)
        if runs.cancel_requested(claim):
            assert runs.cancelled(claim)

    @precondition(lambda self: self.claims)
    @rule(n=index)
    def job_process_dies(self, n: int) -> None:
        runs.abandoned_by(f"worker-{n % len(self.claims)}", "killed")

    # What always holds.

    @invariant()
    def every_row_is_sound(self) -> None:
        rows = list(EvaluationRun.objects.annotate(n=Count("results")))
        tokens = [run.token for run in rows if run.token]
        assert len(tokens) == len(set(tokens)) and set(tokens) <= {claim.token for claim in self.claims}
        for run in rows:
            has_ended = run.status in ENDED
            assert bool(run.token) == (run.status == "running") == (run.lease_until is not None)
            assert has_ended == (run.finished_at is not None)
            assert run.attempt <= settings.MAX_ATTEMPTS
            assert run.n <= len(self.tasks)
            assert run.status != "finished" or run.n == len(self.tasks)
            assert self.ended.get(run.pk, run.status) == run.status
            if has_ended:
                self.ended[run.pk] = run.status

    def calm(self) -> None:
        """Nothing goes wrong any more: every run ends, as a healthy fleet would end it."""
        for _ in range(2 * settings.MAX_ATTEMPTS):
            CLOCK.now += timedelta(seconds=settings.LEASE_SECONDS + 1)
            for run in runs.reconcile():
                claim = runs.claim(run.pk, "calm")
                if claim is None:
                    continue
                for task in self.tasks:
                    record.store_task(claim, task, *report_of(task))
                assert runs.finish(claim)
        assert not EvaluationRun.objects.active().exists()

    def _run(self, n: int) -> EvaluationRun | None:
        every = list(EvaluationRun.objects.order_by("pk"))
        return every[n % len(every)] if every else None

    def _claim(self, n: int) -> runs.Claim:
        return self.claims[-1 - n % len(self.claims)]

    def _holds(self, claim: runs.Claim) -> bool:
        return runs.held(claim).exists()


_reports: dict[str, Any] = {}


def report_of(task: Any) -> tuple[TaskReport, Path]:
    """A small report of a task with its file of samples."""
    if "samples" not in _reports:
        path = Path(tempfile.mkdtemp(dir=settings.HOME)) / "task.samples.jsonl"
        path.write_text("".join(sample.to_json() + "\n" for sample in make_samples([1.0])))
        _reports["samples"] = path
    metrics = {task.metric: Metric(1.0, None)}
    return TaskReport(task.name, task.metric, metrics, 1, 1, 0, 0, 0, 0.1, task.config_sha, "", ""), _reports["samples"]


@pytest.mark.django_db
def test_runs_hold_their_invariants_whatever_happens_in_whatever_order(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(timezone, "now", CLOCK)
    run_state_machine_as_test(
        Fleet,
        settings=hypothesis_settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=EXAMPLES < 100,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        ),
    )
