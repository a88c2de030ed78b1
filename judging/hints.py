"""The reconciler's errand for this floor: tell the judge lane which runs and battles wait for their judges."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from judging import seats
from runners import judging_phase, runs
from runners.adapters import queue

JOB = "judging.jobs.judge"
BATTLES = "judging.jobs.judge_battles"
HEAD = 16


def hint_waiting() -> None:
    """Gives due hints to the queue; a lost one is given again. Raises QueueUnreachable."""
    due = judging_phase.waiting_for_judges(timezone.now() - timedelta(seconds=settings.HINT_SECONDS))
    for run_id in due[:HEAD]:
        queue.hint(judging_phase.LANE, run_id, job=JOB)
        runs.hinted([run_id])
    for seat_id in seats.due():
        queue.hint(judging_phase.LANE, seat_id, job=BATTLES)
        seats.hinted(seat_id)
