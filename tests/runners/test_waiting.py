"""What the queue may promise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from runners import waiting
from runners.models import EvaluationRun, Suite
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def suite() -> Suite:
    return factories.make_suite(tasks=[factories.make_task(n_docs=60), factories.make_task(n_docs=40)])


def _finished(suite: Suite, seconds: float, *, backend: str = "reference", **fields: Any) -> EvaluationRun:
    now = timezone.now()
    revision = factories.make_revision(backend=backend)
    times = {"started_at": now - timedelta(seconds=seconds), "finished_at": now}
    return factories.make_run(revision, suite, "finished", **times, **fields)


def _queued(suite: Suite, **fields: Any) -> EvaluationRun:
    return factories.make_run(factories.make_revision(backend="reference"), suite, **fields)


def test_the_line_is_by_priority_and_then_by_age(suite: Suite) -> None:
    first, second, urgent = _queued(suite), _queued(suite), _queued(suite, priority=5)
    line = waiting.Line.now()
    assert [line.position(run.pk) for run in (urgent, first, second)] == [1, 2, 3]
    assert [waiting.position(run) for run in (urgent, first, second)] == [1, 2, 3]


def test_a_lane_has_its_own_line(suite: Suite) -> None:
    _queued(suite)
    other = factories.make_run(factories.make_revision(backend="hf"), suite)
    assert waiting.position(other) == 1


def test_a_run_that_does_not_wait_has_no_position(suite: Suite) -> None:
    run = factories.make_run(suite=suite, status="running")
    assert waiting.position(run) is None
    assert waiting.Line.now().position(run.pk) is None


def test_nothing_is_promised_before_anything_was_measured(suite: Suite) -> None:
    factories.make_worker()
    assert waiting.eta(_queued(suite)) is None


def test_nothing_is_promised_without_a_live_worker(suite: Suite) -> None:
    _finished(suite, 100)
    factories.make_worker(heartbeat_at=timezone.now() - timedelta(minutes=5))
    factories.make_worker(is_draining=True)
    factories.make_worker(lane="gpu")
    assert waiting.eta(_queued(suite)) is None


def test_the_span_comes_from_the_slowest_and_the_fastest_earlier_run(suite: Suite) -> None:
    _finished(suite, 100)
    _finished(suite, 300)
    factories.make_worker()
    assert waiting.eta(_queued(suite)) == pytest.approx((100, 300))


def test_one_earlier_run_is_only_a_rough_guide(suite: Suite) -> None:
    _finished(suite, 100)
    factories.make_worker()
    assert waiting.eta(_queued(suite)) == pytest.approx((50, 200))


def test_imported_and_repeated_runs_measure_nothing(suite: Suite) -> None:
    _finished(suite, 1, is_imported=True)
    _finished(suite, 9999, attempt=3)
    factories.make_worker()
    assert waiting.eta(_queued(suite)) is None


def test_a_limit_makes_a_run_shorter(suite: Suite) -> None:
    _finished(suite, 100)
    _finished(suite, 100)
    factories.make_worker()
    assert waiting.eta(_queued(suite, settings={"limit": 10})) == pytest.approx((20, 20))


def test_whoever_stands_behind_waits_for_those_ahead_unless_there_are_more_workers(suite: Suite) -> None:
    _finished(suite, 100)
    _finished(suite, 100)
    factories.make_worker()
    _queued(suite)
    second = _queued(suite)
    assert waiting.eta(second) == pytest.approx((200, 200))
    factories.make_worker()
    assert waiting.eta(second) == pytest.approx((100, 100))


def test_a_run_of_unknown_length_makes_those_behind_it_unknown_unless_another_worker_is_free(suite: Suite) -> None:
    _finished(suite, 100)
    _finished(suite, 100)
    factories.make_worker()
    _queued(factories.make_suite(), priority=1)
    behind = _queued(suite)
    assert waiting.eta(behind) is None
    factories.make_worker()
    assert waiting.eta(behind) == pytest.approx((100, 100))


def test_a_retry_waits_out_its_pause(suite: Suite) -> None:
    _finished(suite, 100)
    _finished(suite, 100)
    factories.make_worker()
    run = _queued(suite, not_before=timezone.now() + timedelta(seconds=50))
    assert waiting.eta(run) == pytest.approx((150, 150), abs=1)


def test_a_running_run_is_measured_by_its_own_speed(suite: Suite) -> None:
    revision = factories.make_revision(backend="reference")
    started = timezone.now() - timedelta(seconds=80)
    run = factories.make_run(revision, suite, "running", started_at=started, progress_done=80, progress_total=100)
    assert waiting.eta(run) == pytest.approx((15, 30), abs=0.5)


def test_a_chat_model_is_asked_generation_tasks_only() -> None:
    tasks = [factories.make_task(n_docs=50), factories.make_task(n_docs=50, mode="likelihood")]
    suite = factories.make_suite(tasks=tasks)
    _finished(suite, 100, backend="api")
    _finished(suite, 100, backend="api")
    factories.make_worker()
    likelihoods = factories.make_endpoint(supports_likelihood=True)
    revision = factories.make_revision(backend="api", endpoint=likelihoods)
    assert waiting.eta(factories.make_run(revision, suite)) == pytest.approx((200, 200))


def test_a_reference_player_says_nothing_about_a_served_model(suite: Suite) -> None:
    _finished(suite, 1)
    factories.make_worker()
    revision = factories.make_revision(backend="api", endpoint=factories.make_endpoint())
    assert waiting.eta(factories.make_run(revision, suite)) is None


def test_the_whole_line_takes_four_queries(suite: Suite, django_assert_num_queries: Any) -> None:
    _finished(suite, 100)
    for _ in range(5):
        _queued(suite)
        factories.make_run(suite=suite, status="running")
    with django_assert_num_queries(4):
        waiting.Line.now()


def test_a_run_whose_worker_is_silent_is_promised_nothing(suite: Suite) -> None:
    _finished(suite, 100)
    silent = timezone.now() - timedelta(minutes=2)
    run = factories.make_run(suite=suite, status="running", heartbeat_at=silent)
    assert waiting.eta(run) is None
