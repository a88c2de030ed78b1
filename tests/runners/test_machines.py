"""A run that is bound to a machine is taken there and nowhere else, and holds nobody up."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from runners import dispatch, jobs, judging_phase, machines, runs, waiting
from runners.adapters import queue
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """This process is on the machine "near"."""
    monkeypatch.setattr(machines, "here", lambda: "near")
    return monkeypatch


def test_a_worker_elsewhere_never_claims_it_and_one_there_does(on: pytest.MonkeyPatch) -> None:
    run = factories.make_run(only_host="far")
    assert runs.claim(run.pk, "gpu-near-1") is None
    run.refresh_from_db()
    assert (run.status, run.attempt, run.token) == ("queued", 0, "")
    on.setattr(machines, "here", lambda: "far")
    assert runs.claim(run.pk, "gpu-far-1") is not None


def test_a_worker_passes_over_what_is_bound_elsewhere(on: pytest.MonkeyPatch) -> None:
    for _ in range(jobs.TRIED + 1):
        elsewhere = factories.make_run(lane="gpu", only_host="far", priority=9)
    mine, free = factories.make_run(lane="gpu", only_host="near"), factories.make_run(lane="gpu")
    assert jobs.first(elsewhere.pk) == [mine.pk, free.pk]


def test_its_attempt_tells_the_machine(on: pytest.MonkeyPatch) -> None:
    run = factories.make_run(only_host="near")
    claim = runs.claim(run.pk, "w")
    assert claim is not None
    assert runs.note_environment(claim, {"engine": "vllm"})
    run.refresh_from_db()
    assert run.environment == {"host": "near", "engine": "vllm"}


def test_its_judges_may_sit_anywhere(on: pytest.MonkeyPatch) -> None:
    run = factories.make_run(status="judging", lane="judge", only_host="far")
    assert judging_phase.claim(run.pk, "judge-near-1") is not None


def test_a_silent_machine_keeps_its_hints_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    lying: Counter[str] = Counter()
    monkeypatch.setattr(queue, "length", lambda line: lying[line])
    monkeypatch.setattr(queue, "hint", lambda line, run_id: lying.update([line]))
    for _ in range(dispatch.HEAD + 4):
        factories.make_run(lane="gpu", only_host="far", priority=9)
    factories.make_run(lane="gpu")
    dispatch.step()
    dispatch.step()
    assert lying == {"gpu@far": dispatch.HEAD, "gpu": 1}


def test_the_same_job_may_be_under_way_on_two_machines_but_not_twice_on_one() -> None:
    revision, suite = factories.make_revision(), factories.make_suite()
    a, b = (runs.request(revision, suite, only_host=host) for host in ("a", "b"))
    free = runs.request(revision, suite)
    assert a.fingerprint == b.fingerprint == free.fingerprint
    with pytest.raises(runs.AlreadyActive) as refused:
        runs.request(revision, suite, only_host="b")
    assert refused.value.run == b


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "live"),
        ({"is_draining": True}, "drained"),
        ({"heartbeat_at": timezone.now() - timedelta(hours=1)}, "silent"),
        ({"lane": "eval"}, "gone"),
        ({"host": "near"}, "gone"),
    ],
)
def test_what_a_bound_run_waits_for_is_told(fields: dict[str, Any], state: str) -> None:
    factories.make_worker(**{"lane": "gpu", "host": "far", **fields})
    bond = waiting.Line.now().bond(factories.make_run(lane="gpu", only_host="far"))
    assert bond is not None
    assert (bond.host, bond.state) == ("far", state)
    assert waiting.Line.now().bond(factories.make_run()) is None


def test_nobody_waits_for_the_runs_of_a_machine_that_is_away() -> None:
    suite = factories.make_suite(tasks=[factories.make_task(n_docs=10)])
    now = timezone.now()
    for _ in range(2):
        factories.make_run(suite=suite, status="finished", started_at=now - timedelta(seconds=100), finished_at=now)
    factories.make_worker(lane="gpu", host="near")
    kept, free = (factories.make_run(suite=suite, only_host=host) for host in ("far", ""))
    line = waiting.Line.now()
    assert line.eta(kept.pk) is None
    assert line.eta(free.pk) == pytest.approx((100.0, 100.0), rel=0.01)


def test_live_machines_are_named_with_the_gpus_their_workers_share() -> None:
    cards = [{"index": str(n), "name": "NVIDIA H100"} for n in range(2)]
    factories.make_worker("g1", lane="gpu", host="b", gpus=cards)
    factories.make_worker("g2", lane="gpu", host="b", gpus=cards[1:])
    factories.make_worker("g3", lane="gpu", host="a", gpu="RTX 4090")
    factories.make_worker("e1", lane="eval", host="c")
    factories.make_worker("g4", lane="gpu", host="d", is_draining=True)
    assert [(machine.host, machine.gpu) for machine in machines.live(["gpu"])] == [
        ("a", "RTX 4090"),
        ("b", "NVIDIA H100 × 2"),
    ]
