"""How long the line will take, from what ended runs really took, and how well such forecasts have held so far."""

from __future__ import annotations

import statistics
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

# A forecast rests on so many of the newest runs of its kind; below LEAST there is none.
NEWEST, LEAST = 20, 2
Kind = tuple[int, str]  # suite id, backend


@dataclass(frozen=True)
class Ended:
    """A finished run: its kind, its end and the seconds it took."""

    kind: Kind
    at: datetime
    seconds: float


@dataclass(frozen=True)
class Waiting:
    """So many runs of one kind that wait in a lane."""

    lane: str
    kind: Kind
    n: int


@dataclass(frozen=True)
class Forecast:
    """Seconds until a lane's line is empty, at best and at worst; None where a kind has not been measured twice, or
    nobody works. `unknown`: how many of the waiting runs nothing is known about.
    """

    lane: str
    n_waiting: int
    n_workers: int
    span: tuple[float, float] | None
    unknown: int


@dataclass(frozen=True)
class Held:
    """How forecasts held: of `n` ended runs each was forecast from the ones before it. `error`: median of
    |took - forecast| / took; `within`: the share that ended inside the forecast span. None where n is 0.
    """

    n: int
    error: float | None
    within: float | None


def held(ended: Iterable[Ended]) -> Held:
    """Every run forecast from the NEWEST of its kind that ended before it, as the queue would have."""
    before: dict[Kind, deque[float]] = defaultdict(lambda: deque(maxlen=NEWEST))
    errors, inside = [], 0
    for run in sorted(ended, key=lambda run: run.at):
        known = before[run.kind]
        if len(known) >= LEAST and run.seconds > 0:
            errors.append(abs(run.seconds - statistics.median(known)) / run.seconds)
            inside += min(known) <= run.seconds <= max(known)
        known.append(run.seconds)
    if not errors:
        return Held(0, None, None)
    return Held(len(errors), statistics.median(errors), inside / len(errors))


def forecasts(waiting: Sequence[Waiting], ended: Iterable[Ended], workers: dict[str, int]) -> list[Forecast]:
    """Per lane with a line or a worker, the seconds of work that wait divided by the workers that are there."""
    known: dict[Kind, deque[float]] = defaultdict(lambda: deque(maxlen=NEWEST))
    for run in sorted(ended, key=lambda run: run.at):
        known[run.kind].append(run.seconds)
    found = []
    for lane in sorted({entry.lane for entry in waiting} | set(workers)):
        line, n = [entry for entry in waiting if entry.lane == lane], workers.get(lane, 0)
        unknown = sum(entry.n for entry in line if len(known[entry.kind]) < LEAST)
        span = None
        if n and not unknown:
            low, high = (sum(entry.n * end(known[entry.kind]) for entry in line) for end in (min, max))
            span = (low / n, high / n)
        found.append(Forecast(lane, sum(entry.n for entry in line), n, span, unknown))
    return found
