"""A hint invites to a line: whoever follows it takes the run at its head, and Redis holds no more hints than needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from runners import dispatch, jobs, runs, supervise
from runners.adapters import queue
from runners.models import EvaluationRun
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The runs that were claimed, in order; each is over at once."""
    taken: list[int] = []

    def work(self: supervise.Session, claim: runs.Claim) -> None:
        taken.append(claim.run_id)
        runs.finish(claim)

    monkeypatch.setattr(supervise.Session, "run", work)
    return taken


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Lanes and how many hints lie in their queues."""
    lying: Counter[str] = Counter()
    monkeypatch.setattr(queue, "length", lambda lane: lying[lane])
    monkeypatch.setattr(queue, "hint", lambda lane, run_id: lying.update([lane]))
    return lying


def test_a_run_that_was_raised_goes_before_the_one_that_was_hinted(done: list[int]) -> None:
    hinted, raised = factories.make_run(lane="gpu"), factories.make_run(lane="gpu", priority=5)
    jobs.execute_run(hinted.pk)
    jobs.execute_run(raised.pk)
    assert done == [raised.pk, hinted.pk]


def test_a_run_that_lost_its_worker_goes_before_those_that_came_later(done: list[int]) -> None:
    struck, later = factories.make_run(lane="gpu"), factories.make_run(lane="gpu")
    runs.claim(struck.pk, "g1")
    runs.abandoned_by("g1", "it died")
    jobs.execute_run(later.pk)
    assert done == [struck.pk]


def test_a_hint_of_a_run_that_is_over_leads_to_the_next(done: list[int]) -> None:
    over, waiting = factories.make_run(status="finished", lane="gpu"), factories.make_run(lane="gpu")
    jobs.execute_run(over.pk)
    jobs.execute_run(over.pk)
    assert done == [waiting.pk]


def test_a_run_that_another_worker_claims_in_that_moment_is_passed_over(
    done: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, left = factories.make_run(lane="gpu"), factories.make_run(lane="gpu")
    claim: Callable[[int, str], runs.Claim | None] = runs.claim

    def late(run_id: int, worker: str) -> runs.Claim | None:
        if run_id == taken.pk:
            claim(taken.pk, "faster")
        return claim(run_id, worker)

    monkeypatch.setattr(runs, "claim", late)
    jobs.execute_run(taken.pk)
    assert done == [left.pk]
    assert EvaluationRun.objects.get(pk=taken.pk).worker == "faster"


def test_what_is_not_due_is_cancelled_or_stands_in_another_line_is_left_alone(done: list[int]) -> None:
    now = timezone.now()
    hinted = factories.make_run(lane="gpu", not_before=now + timedelta(minutes=1))
    factories.make_run(lane="gpu", cancel_requested_at=now)
    factories.make_run(lane="eval")
    jobs.execute_run(hinted.pk)
    jobs.execute_run(10**6)
    assert done == []


def test_hints_do_not_pile_up_while_every_worker_is_busy(redis: Counter[str]) -> None:
    for _ in range(dispatch.HEAD + 4):
        factories.make_run(lane="gpu")
    for _ in range(5):
        dispatch.step()
        EvaluationRun.objects.update(hinted_at=timezone.now() - timedelta(hours=1))
    assert redis == {"gpu": dispatch.HEAD}


def test_after_redis_lost_its_hints_they_are_given_again(redis: Counter[str]) -> None:
    for _ in range(3):
        factories.make_run(lane="gpu")
    dispatch.step()
    redis.clear()
    EvaluationRun.objects.update(hinted_at=timezone.now() - timedelta(hours=1))
    dispatch.step()
    assert redis == {"gpu": 3}
