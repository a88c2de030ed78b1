"""What a queue worker may be asked to do: take one id, do the work the database says is due."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from django.db import DatabaseError

from runners import clock, supervise
from runners.models import EvaluationRun, Worker


def execute_run(run_id: int) -> None:
    """Runs the waiting evaluation `run_id`, if it still waits; gives it back when the worker is drained."""
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
        supervise.execute(run_id, worker=name, on_beat=report, draining=leaving.is_set)
    finally:
        Worker.objects.filter(name=name).update(current_run=None)
