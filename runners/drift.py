"""Change-point test for a model that is asked the same canary items again and again (no Django, no I/O).

Page's two-sided cumulative sums on standardised scores (E. S. Page, Biometrika 41, 1954; the constants and the worked
example of D. C. Montgomery, Introduction to Statistical Quality Control, ch. 9). With allowance 0.5 and limit 5 a shift
of one standard deviation is told after about 10 runs, and a steady model is suspected once in about 465.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ALLOWANCE = 0.5
LIMIT = 5.0
# Runs that say what is normal for a model, before anything can be told; as many in a row end a change.
BASELINE = 5
Z95 = 1.959963984540054


@dataclass(frozen=True)
class Change:
    """`told_at`: index of the score that tipped the sum; `onset`: index of the first score after the change, as the sum
    estimates it; `size`: mean of the scores since then minus the mean before, in the unit of the scores."""

    onset: int
    told_at: int
    direction: Literal["up", "down"]
    size: float


@dataclass(frozen=True)
class Episode:
    """A change with the 95 % interval of its size; `over_at`: index of the score at which the model was back, or None.

    The interval is that of a difference of two means with the deviation of the normal runs. A change is told because it
    is large: its size is a little overstated.
    """

    change: Change
    low: float
    high: float
    over_at: int | None


@dataclass(frozen=True)
class Watch:
    """What the scores say: the normal `mean` and `deviation` (None before there is one) and every change, in order."""

    mean: float | None
    deviation: float | None
    episodes: list[Episode]


def sums(scores: Sequence[float], mean: float, deviation: float) -> list[tuple[float, float]]:
    """(upper, lower) sum after each score, both from 0 on and never negative."""
    upper = lower = 0.0
    found = []
    for score in scores:
        z = (score - mean) / deviation
        upper, lower = max(0.0, upper + z - ALLOWANCE), max(0.0, lower - z - ALLOWANCE)
        found.append((upper, lower))
    return found


def change(scores: Sequence[float], *, n_items: int, baseline: int = BASELINE) -> Change | None:
    """The first change in the scores (0..1 each, of the same `n_items` items), or None where there is none to tell.

    The first `baseline` scores are taken as normal. Their deviation is at least one item: a model that always answered
    alike would otherwise be suspected for one answer.
    """
    if len(scores) <= baseline:
        return None
    mean, deviation = normal(scores[:baseline], n_items)
    return since(scores, mean=mean, deviation=deviation, start=baseline)


def normal(scores: Sequence[float], n_items: int) -> tuple[float, float]:
    """Mean and deviation of the scores that count as normal."""
    mean = math.fsum(scores) / len(scores)
    square = math.fsum((score - mean) ** 2 for score in scores)
    return mean, max(math.sqrt(square / (len(scores) - 1)) if len(scores) > 1 else 0.0, 1 / n_items)


def watch(scores: Sequence[float], *, n_items: int, baseline: int = BASELINE) -> Watch:
    """Every change in the scores, and which of them are over; the first `baseline` scores are what is normal."""
    if len(scores) < baseline:
        return Watch(None, None, [])
    mean, deviation = normal(scores[:baseline], n_items)
    episodes: list[Episode] = []
    start = baseline
    while found := since(scores, mean=mean, deviation=deviation, start=start):
        over = _over(scores, found, mean, deviation, baseline)
        n = (len(scores) if over is None else over - baseline + 1) - found.onset
        half = Z95 * deviation * math.sqrt(1 / max(n, 1) + 1 / baseline)
        episodes.append(Episode(found, found.size - half, found.size + half, over))
        if over is None:
            break
        start = over + 1
    return Watch(mean, deviation, episodes)


def _over(scores: Sequence[float], found: Change, mean: float, deviation: float, n: int) -> int | None:
    """Where the last `n` scores are, taken together, within the noise of the normal and nearer to it than to the
    change; None where they are nowhere yet."""
    noise = Z95 * deviation * math.sqrt(2 / n)
    for end in range(found.told_at + n, len(scores)):
        away = math.fsum(scores[end - n + 1 : end + 1]) / n - mean
        if abs(away) <= noise and abs(away) < abs(away - found.size):
            return end
    return None


def since(scores: Sequence[float], *, mean: float, deviation: float, start: int = 0) -> Change | None:
    """The first change among `scores[start:]` from a normal that is known."""
    found = sums(scores[start:], mean, deviation)
    for at, both in enumerate(found):
        if max(both) > LIMIT:
            side = 0 if both[0] >= both[1] else 1
            zero = max((i for i in range(at) if found[i][side] == 0.0), default=-1)
            onset = start + zero + 1
            after = scores[onset : start + at + 1]
            return Change(onset, start + at, "down" if side else "up", math.fsum(after) / len(after) - mean)
    return None
