"""Every status change of a run, under the conditions that make it safe."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from runners import runs
from runners.models import EvaluationRun, Generation
from tests.factories import make_revision, make_run, make_suite

pytestmark = pytest.mark.django_db


def expire(run: EvaluationRun) -> None:
    EvaluationRun.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def claimed(run: EvaluationRun | None = None) -> runs.Claim:
    claim = runs.claim((run or make_run()).pk, "worker-1")
    assert claim is not None
    return claim


def test_a_request_waits_and_freezes_what_it_measures():
    revision = make_revision()
    run = runs.request(revision, make_suite())
    revision.refresh_from_db()
    assert (run.status, run.attempt) == ("queued", 0)
    assert revision.frozen_at is not None


def test_the_same_evaluation_is_under_way_only_once():
    revision, suite = make_revision(), make_suite()
    first = runs.request(revision, suite)
    with pytest.raises(runs.AlreadyActive) as refused:
        runs.request(revision, suite)
    assert refused.value.run == first
    runs.cancel(first, "somebody")
    assert runs.request(revision, suite).pk != first.pk


def test_other_settings_are_another_evaluation():
    revision, suite = make_revision(), make_suite()
    runs.request(revision, suite)
    assert runs.request(revision, suite, run_settings={"limit": 5}).status == "queued"


def test_a_claim_counts_the_attempt_and_takes_a_lease():
    run = make_run()
    claim = claimed(run)
    run.refresh_from_db()
    assert (run.status, run.attempt, run.token) == ("running", 1, claim.token)
    assert run.lease_until is not None and run.lease_until > timezone.now()


def test_a_second_delivery_of_the_same_hint_claims_nothing():
    run = make_run()
    claimed(run)
    assert runs.claim(run.pk, "worker-2") is None


def test_a_run_that_was_cancelled_while_waiting_is_never_claimed():
    run = make_run()
    runs.cancel(run, "owner")
    assert runs.claim(run.pk, "worker-1") is None


def test_a_heartbeat_carries_progress_and_renews_the_lease():
    run = make_run()
    claim = claimed(run)
    expire(run)
    assert runs.beat(claim, done=7, total=20, stage="task_a", log="a line")
    run.refresh_from_db()
    assert (run.progress_done, run.progress_total, run.stage, run.log_tail) == (7, 20, "task_a", "a line")
    assert run.lease_until is not None and run.lease_until > timezone.now()


def test_an_expired_attempt_goes_back_in_line_and_can_no_longer_write():
    run = make_run()
    stale = claimed(run)
    expire(run)
    assert run in runs.reconcile()
    run.refresh_from_db()
    assert (run.status, run.error_kind) == ("queued", "worker_lost")
    fresh = claimed(run)
    assert not runs.beat(stale)
    assert not runs.finish(stale)
    assert not runs.fail(stale, "internal", "too late", permanent=True)
    assert not runs.release(stale, "too late")
    assert runs.finish(fresh)
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("finished", 2)


def test_the_third_lost_attempt_is_the_last_and_keeps_its_log():
    run = make_run()
    for attempt in (1, 2, 3):
        claim = claimed(run)
        runs.beat(claim, log=f"last words of attempt {attempt}")
        expire(run)
        runs.reconcile()
    run.refresh_from_db()
    assert (run.status, run.error_kind, run.attempt) == ("failed", "poison", 3)
    assert [entry["attempt"] for entry in run.attempts_log] == [1, 2, 3]
    assert "attempt 3" in run.log_tail


def test_a_passing_failure_waits_longer_each_time_before_the_next_attempt():
    run = make_run()
    pauses = []
    for _ in range(2):
        before = timezone.now()
        assert runs.fail(claimed(run), "endpoint_down", "no answer", permanent=False)
        run.refresh_from_db()
        assert run.not_before is not None
        pauses.append((run.not_before - before).total_seconds())
        assert runs.claim(run.pk, "too early") is None
        EvaluationRun.objects.filter(pk=run.pk).update(not_before=None)
    assert pauses[0] < pauses[1]


def test_a_permanent_failure_is_not_tried_again():
    run = make_run()
    runs.fail(claimed(run), "model_gated", "no access", permanent=True)
    run.refresh_from_db()
    assert (run.status, run.error_kind, run.error_text) == ("failed", "model_gated", "no access")


def test_a_drained_run_goes_back_without_using_up_an_attempt():
    run = make_run()
    assert runs.release(claimed(run), "deploy")
    run.refresh_from_db()
    assert (run.status, run.attempt, run.hinted_at) == ("queued", 0, None)


def test_a_running_run_is_asked_to_stop_and_stops_itself():
    run = make_run()
    claim = claimed(run)
    runs.cancel(run, "owner")
    run.refresh_from_db()
    assert run.status == "running"
    assert runs.cancel_requested(claim)
    assert runs.cancelled(claim)
    run.refresh_from_db()
    assert run.status == "cancelled"


def test_a_cancelled_run_whose_worker_died_ends_as_cancelled():
    run = make_run()
    claimed(run)
    runs.cancel(run, "owner")
    expire(run)
    assert run not in runs.reconcile()
    run.refresh_from_db()
    assert run.status == "cancelled"


def test_an_ended_run_cannot_be_cancelled():
    with pytest.raises(runs.NotActive):
        runs.cancel(make_run(status="finished"), "owner")


def test_a_rerun_is_a_new_run_with_a_parent_and_a_reason():
    parent = make_run(status="finished", settings={"limit": 3})
    child = runs.rerun(parent, by="staff", reason="new driver")
    parent.refresh_from_db()
    assert (child.rerun_of, child.reason, child.settings) == (parent, "new driver", {"limit": 3})
    assert parent.status == "finished"


def test_a_known_death_needs_no_waiting_for_the_lease():
    run = make_run()
    claimed(run)
    runs.abandoned_by("worker-1", "killed")
    run.refresh_from_db()
    assert (run.status, run.error_text) == ("queued", "killed")


def test_a_hint_is_given_again_only_when_it_has_grown_old():
    run = make_run()
    assert run in runs.reconcile()
    runs.hinted([run.pk])
    assert run not in runs.reconcile()
    EvaluationRun.objects.filter(pk=run.pk).update(hinted_at=timezone.now() - timedelta(hours=1))
    assert run in runs.reconcile()


def test_an_ending_makes_the_boards_new():
    before = Generation.objects.filter(pk="boards").values_list("value", flat=True).first() or 0
    runs.finish(claimed())
    assert Generation.objects.get(pk="boards").value == before + 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_twenty_workers_with_the_same_hint_exactly_one_claims():
    run = make_run()
    gate, won = threading.Barrier(20), []

    def work(number: int) -> None:
        gate.wait()
        try:
            if runs.claim(run.pk, f"worker-{number}") is not None:
                won.append(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.refresh_from_db()
    assert (len(won), run.attempt) == (1, 1)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_twenty_requests_for_the_same_evaluation_exactly_one_waits():
    revision, suite = make_revision(), make_suite()
    gate, refused = threading.Barrier(20), []

    def ask() -> None:
        gate.wait()
        try:
            runs.request(revision, suite)
        except runs.AlreadyActive as twin:
            refused.append(twin.run.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (EvaluationRun.objects.active().count(), len(refused), len(set(refused))) == (1, 19, 1)


@pytest.mark.parametrize("end", ["fail", "release"])
def test_a_run_that_was_asked_to_stop_is_cancelled_however_its_attempt_ends(end: str):
    run = make_run()
    claim = claimed(run)
    runs.cancel(run, "owner")
    if end == "fail":
        assert runs.fail(claim, "endpoint_down", "no answer", permanent=False)
    else:
        assert runs.release(claim, "drained")
    run.refresh_from_db()
    assert (run.status, run.token) == ("cancelled", "") and run.finished_at is not None


def test_a_waiting_run_that_nobody_may_claim_is_cancelled_by_the_reconciler():
    run = make_run(cancel_requested_at=timezone.now())
    runs.reconcile()
    run.refresh_from_db()
    assert run.status == "cancelled"
