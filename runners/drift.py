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
# Runs that say what is normal for a model, before anything can be told.
BASELINE = 5


@dataclass(frozen=True)
class Change:
    """`told_at`: index of the score that tipped the sum; `onset`: index of the first score after the change, as the sum
    estimates it; `size`: mean of the scores since then minus the mean before, in the unit of the scores."""

    onset: int
    told_at: int
    direction: Literal["up", "down"]
    size: float


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
    known = scores[:baseline]
    mean = math.fsum(known) / baseline
    spread = math.sqrt(math.fsum((score - mean) ** 2 for score in known) / (baseline - 1)) if baseline > 1 else 0.0
    return since(scores, mean=mean, deviation=max(spread, 1 / n_items), start=baseline)


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
