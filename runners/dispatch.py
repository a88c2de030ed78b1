"""The reconciler: repairs runs that died silently and hands hints to the queue, over and over.

Exactly one is needed; several do no harm. It is the only retrier: RQ's own retries are not used.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connections

from runners import clock, machines, runs
from runners.adapters import queue
from runners.models import EvaluationRun, Worker

log = logging.getLogger(__name__)
LANE = "reconciler"
# Hints per lane: enough to keep a lane's workers busy; the rest of the line waits in the database, in its order.
HEAD = 16
WORKER_FORGOTTEN = timedelta(days=1)

# Other floors add their own repairs and hints; each is called once a step and raises QueueUnreachable or nothing.
OUTBOXES: list[Callable[[], None]] = []
# What is done after every step, Redis or not; each raises DatabaseError or nothing.
WATCHES: list[Callable[[], None]] = []


def step() -> str:
    """One round of repair and hints; returns what stands in the way, in words, or nothing."""
    try:
        waiting = {run.pk: run for run in runs.reconcile()}
        for lane in settings.LANES:
            # A line for each machine that runs are bound to: one that is silent holds nobody else up.
            bound = {run.only_host for run in waiting.values() if run.lane == lane and run.only_host}
            for host in ("", *sorted(bound)):
                _hint(lane, host, waiting.keys())
        for outbox in OUTBOXES:
            outbox()
    except queue.QueueUnreachable as error:
        return f"Redis cannot be reached: {error}"
    return ""


def _hint(lane: str, host: str, waiting: Collection[int]) -> None:
    """Hints of the first runs of a line, as far as there is room for them."""
    heads = EvaluationRun.objects.in_line(lane).filter(only_host=host).values_list("pk", flat=True)[:HEAD]
    due = [pk for pk in heads if pk in waiting]
    # Workers that are busy for hours must not find a hint a minute of every run before them.
    line = queue.line(lane, host)
    room = HEAD - queue.length(line) if due else 0
    for run_id in due[: max(0, room)]:
        queue.hint(line, run_id)
        runs.hinted([run_id])


def report(note: str) -> None:
    """The reconciler's own sign of life, with what stands in its way."""
    host = machines.here()
    Worker.objects.update_or_create(
        name=f"{LANE}-{host}",
        defaults={
            "lane": LANE,
            "host": host,
            "pid": os.getpid(),
            "heartbeat_at": clock.now(),
            "note": note[:300],
        },
    )
    Worker.objects.filter(heartbeat_at__lt=clock.now() - WORKER_FORGOTTEN).delete()


def loop(stop: Callable[[], bool]) -> None:
    """Steps until `stop` says so; a database that is away is waited for."""
    told = ""
    while not stop():
        try:
            note = step()
            report(note)
            for watch in WATCHES:
                watch()
        except DatabaseError as error:
            note = f"the database cannot be reached: {error}"
            connections.close_all()
        if note != told:
            log.warning("reconciler: %s", note or "all is well again")
            told = note
        time.sleep(settings.RECONCILE_SECONDS)
