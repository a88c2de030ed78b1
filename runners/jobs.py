"""What a queue worker may be asked to do: take one id, do the work the database says is due."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from django.db import DatabaseError
from django.db.models import Q

from runners import clock, machines, supervise
from runners.models import EvaluationRun, Worker

# How many of a line's first runs a worker tries to claim, where others are at them in the same moment.
TRIED = 8


def execute_run(run_id: int) -> None:
    """Runs the first evaluation in the line of `run_id`, which is as a rule that one; gives it back when drained.

    A hint is an invitation to the line, not to its run: hints lie in Redis in the order they were given, while a run
    that was raised, or lost its worker, has come to the head of the line since.
    """
    leaving = threading.Event()

    def leave(signum: int, frame: Any) -> None:
        leaving.set()

    signal.signal(signal.SIGUSR1, leave)
    name = os.environ.get("GYEORU_WORKER", "")
    if name and Worker.objects.filter(name=name, is_draining=True).exists():
        # Taken in the moment of the drain: the hint goes to another worker at once.
        EvaluationRun.objects.filter(pk=run_id, status="queued").update(hinted_at=None)
        return

    def report(attempt: supervise.Attempt) -> None:
        try:
            Worker.objects.filter(name=name).update(current_run=attempt.run, heartbeat_at=clock.now())
        except DatabaseError:
            return  # the worker's own report comes again in a moment

    try:
        any(supervise.execute(pk, worker=name, on_beat=report, draining=leaving.is_set) for pk in first(run_id))
    finally:
        Worker.objects.filter(name=name).update(current_run=None)


def first(run_id: int) -> list[int]:
    """The runs at the head of the line that `run_id` stands or stood in, those that are due, in their order.

    Those that are bound to another machine are passed over.
    """
    lane = EvaluationRun.objects.filter(pk=run_id).values_list("lane", flat=True).first()
    due = EvaluationRun.objects.in_line(lane or "").filter(Q(not_before=None) | Q(not_before__lte=clock.now()))
    return list(due.for_host(machines.here()).filter(cancel_requested_at=None).values_list("pk", flat=True)[:TRIED])
