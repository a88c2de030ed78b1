"""The words of supervision: an attempt, its pulse, and how an attempt may end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import OperationalError

from runners import runs
from runners.models import EvaluationRun, Task

if TYPE_CHECKING:
    from runners.supervise import Session

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The attempt must end now; the message says why."""


class Lost(Stopped):
    """Fenced off: another attempt may be running, so nothing more may be written."""


class Cancelled(Stopped):
    """Somebody asked the run to stop."""


class Drained(Stopped):
    """The worker is going away; the run goes back in line unharmed."""


@dataclass
class Failure(Exception):
    """The attempt failed, with a kind for machines and words for people."""

    kind: str
    message: str
    permanent: bool


@dataclass
class Attempt:
    """What the supervisor remembers of the attempt it watches. Times are monotonic seconds."""

    claim: runs.Claim
    run: EvaluationRun
    tasks: dict[str, Task]
    done: int = 0
    total: int | None = None
    stage: str = "loading"
    loaded: bool = False
    # Where the child lets the model be talked to: base_url, concurrency.
    serving: dict[str, Any] = field(default_factory=dict)
    finished: bool = False
    last_beat: float = 0.0
    moved_at: float = field(default_factory=time.monotonic)
    session: Session | None = None


@dataclass
class Pulse:
    """The heartbeat of an attempt that runs in this process; also who asks whether it must stop."""

    attempt: Attempt
    on_beat: Callable[[Attempt], None] | None = None
    draining: Callable[[], bool] = lambda: False
    # What else may end the attempt at a heartbeat: the child whose model it talks to.
    look: Callable[[], None] = lambda: None

    def __call__(self, done: int, total: int | None, stage: str) -> None:
        """Beats when it is due. Raises Lost, Cancelled or Drained."""
        attempt, now = self.attempt, time.monotonic()
        attempt.done, attempt.total, attempt.stage, attempt.loaded = done, total, stage, True
        if now - attempt.last_beat < settings.BEAT_SECONDS:
            return
        attempt.last_beat = now
        if not beat(attempt, ""):
            raise Lost("another attempt has taken over")
        if self.on_beat is not None:
            self.on_beat(attempt)
        if runs.cancel_requested(attempt.claim):
            raise Cancelled("asked to stop")
        if self.draining():
            raise Drained("the worker was asked to leave; the run waits for the next one")
        self.look()


def beat(attempt: Attempt, text: str) -> bool:
    """A heartbeat that outlives a database that is away for less than the lease."""
    try:
        return runs.beat(attempt.claim, done=attempt.done, total=attempt.total, stage=attempt.stage, log=text)
    except OperationalError:
        log.warning("heartbeat of run %s could not be written; trying again", attempt.claim.run_id)
        return True
