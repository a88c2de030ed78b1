"""What a worker of the judge lane is asked to do: take a run whose answers wait, and have its judges judge it."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError
from django.utils import timezone

from judging import budgets, history, plan, prices, seats, tally, trials
from judging.judgments import Session
from judging.models import Judge, QuestionSet
from judging.question_sets import protocol_of
from runners import judging_phase, runs, supervise
from runners.adapters.chat import ChatError
from runners.child.errors import ChildError
from runners.models import EvaluationRun, Worker
from runners.supervise import Attempt, Failure, Pulse


def judge(run_id: int) -> None:
    """Judges the waiting run `run_id`, if it still waits; gives it back when the worker is drained."""
    leaving = threading.Event()

    def leave(signum: int, frame: Any) -> None:
        leaving.set()

    signal.signal(signal.SIGUSR1, leave)
    name = os.environ.get("GYEORU_WORKER", "")

    def report(attempt: Attempt) -> None:
        try:
            Worker.objects.filter(name=name).update(current_run=attempt.run, heartbeat_at=timezone.now())
        except DatabaseError:
            return  # the worker's own report comes again in a moment

    try:
        execute(run_id, worker=name, on_beat=report, draining=leaving.is_set)
    finally:
        Worker.objects.filter(name=name).update(current_run=None)


def judge_battles(seat_id: int) -> None:
    """Judges what waits for one judge in the arena, if nobody else does."""
    leaving = threading.Event()
    signal.signal(signal.SIGUSR1, lambda signum, frame: leaving.set())
    seats.sit(seat_id, leaving.is_set)


def execute(
    run_id: int,
    *,
    worker: str = "",
    on_beat: Callable[[Attempt], None] | None = None,
    draining: Callable[[], bool] = lambda: False,
) -> bool:
    """One attempt at judging a run, to its end. False where there was nothing to claim."""
    claim = judging_phase.claim(run_id, worker or socket.gethostname())
    if claim is None:
        return False
    run = EvaluationRun.objects.select_related("revision__endpoint", "suite").get(pk=run_id)
    attempt = Attempt(claim, run, {})
    supervise.conclude(claim, lambda: _judge(attempt, Pulse(attempt, on_beat, draining)))
    return True


def _judge(attempt: Attempt, pulse: Pulse) -> None:
    """Every active judge of the set, one after the other; what one of them lacks does not stop the others."""
    run, claim = attempt.run, attempt.claim
    question_set = QuestionSet.objects.get(suite=run.suite)
    failures: list[Failure] = []
    for one in plan.active_judges(question_set):
        try:
            _sit(one, run, question_set, claim, pulse)
        except budgets.NoMoney as error:
            failures.append(Failure("judging_stopped" if error.stopped else "budget_reached", str(error), True))
        except plan.NoBaseline as error:
            failures.append(Failure("no_baseline", str(error), True))
        except (ChatError, ChildError) as error:
            failures.append(Failure(error.kind, f"{one}: {error}", error.permanent))
        except Failure as failure:
            failures.append(failure)
        finally:
            # Whatever ended the session, what was judged is shown; a fenced attempt writes numbers that are true too.
            tally.compute(run, one, question_set)
            trials.compute(one, question_set)
            history.note(run, one, question_set)
    if failures:
        raise min(failures, key=lambda failure: failure.permanent)
    runs.finish(claim)


def _sit(judge: Judge, run: EvaluationRun, question_set: QuestionSet, claim: runs.Claim, pulse: Pulse) -> None:
    served = judge.endpoint.served_name if judge.endpoint else ""
    if judge.kind == Judge.Kind.LLM and judge.endpoint is None:
        raise Failure("no_endpoint", f"The judge {judge} has no endpoint: add it with --endpoint SLUG.", True)
    if judge.cap_usd is not None and judge.endpoint is not None and prices.price_of(served) is None:
        raise Failure(
            "no_price",
            f"The judge {judge} has a cap in dollars, and no price is known for {served}. Give it one with "
            f"`manage.py add_price {served} --input-usd N --output-usd N --krw-per-usd N`, or add the judge "
            "without a cap.",
            True,
        )
    subjects = plan.plan(run, judge, question_set)
    Session(claim, judge, protocol_of(question_set), pulse, subjects).go()
