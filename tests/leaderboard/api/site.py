"""A small site with something in every corner, for tests of the API."""

from __future__ import annotations

from dataclasses import dataclass

from runners.models import EvaluationRun, Suite
from tests import factories


@dataclass(frozen=True)
class Site:
    suite: Suite
    finished: EvaluationRun
    running: EvaluationRun
    queued: EvaluationRun
    failed: EvaluationRun
    private: EvaluationRun


def make_site() -> Site:
    """Two models on a suite of two tasks, a run in each state, and a run of a private set."""
    tasks = [factories.make_task("first_gen", n_docs=4), factories.make_task("second_gen", n_docs=4)]
    suite = factories.make_suite("ko-basic", tasks=tasks)
    finished = factories.make_finished_run(suite=suite)
    factories.make_finished_run(suite=suite, scores={"first_gen": [1.0, 1.0, None, 1.0]})
    secret = factories.make_task("secret_gen", factories.make_benchmark("secret", is_private=True))
    factories.make_worker("eval-1")
    factories.make_worker("reconciler-host", lane="reconciler")
    return Site(
        suite=suite,
        finished=finished,
        running=factories.make_run(suite=suite, status="running"),
        queued=factories.make_run(suite=suite),
        failed=factories.make_run(suite=suite, status="failed"),
        private=factories.make_finished_run(suite=factories.make_suite("private", tasks=[secret])),
    )
