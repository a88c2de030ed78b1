"""What else moves a judge: the order of the answers, their length, its own kin; and whether rankings agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from leaderboard.inference import Floats, Interval, normal_quantile, wilson_interval

Side = Literal["left", "right", "tie"]


@dataclass(frozen=True)
class SwapConsistency:
    """One judge's pairs of games with the sides swapped.

    consistent: the same verdict for the models both times (two ties included); left, right: the same side won both
    times, whoever stood there; one_tie: decided once, tied once; error: a game is missing or unparsable. `rate` is
    consistent over all but errors, None where there are none.
    """

    consistent: int
    left: int
    right: int
    one_tie: int
    error: int
    rate: Interval | None

    @property
    def flipped(self) -> int:
        """Games whose winner changed with the order."""
        return self.left + self.right


def swap_consistency(games: Iterable[tuple[Side | None, Side | None]]) -> SwapConsistency:
    """Count pairs of games (original, swapped), each the side on the screen that won; None is an error."""
    counted: Counter[str] = Counter()
    for original, swapped in games:
        if original is None or swapped is None:
            counted["error"] += 1
        elif original == "tie" or swapped == "tie":
            counted["consistent" if original == swapped else "one_tie"] += 1
        else:
            counted[original if original == swapped else "consistent"] += 1
    total = counted.total() - counted["error"]
    return SwapConsistency(
        counted["consistent"],
        counted["left"],
        counted["right"],
        counted["one_tie"],
        counted["error"],
        wilson_interval(counted["consistent"], total),
    )


def position_preference(sides: Iterable[Side]) -> Interval | None:
    """Share of decided verdicts that went to the left answer; 1/2 is no preference, None without a decided one."""
    counted = Counter(sides)
    return wilson_interval(counted["left"], counted["left"] + counted["right"])


def length_preference(verdicts: Iterable[tuple[Side, int, int]]) -> Interval | None:
    """Share of decided verdicts (side, left length, right length) that went to the longer answer.

    Answers of one length say nothing and are left out; None where nothing is left.
    """
    longer = shorter = 0
    for side, left, right in verdicts:
        if side != "tie" and left != right:
            won_longer = (side == "left") == (left > right)
            longer, shorter = longer + won_longer, shorter + (not won_longer)
    return wilson_interval(longer, longer + shorter)


def preference_gap(
    judge: npt.ArrayLike, people: npt.ArrayLike, question: npt.ArrayLike, level: float = 0.95
) -> Interval | None:
    """How much more a judge gives some models than people do on the same items, e.g. its own family.

    judge, people (N,): points 1, 1/2 or 0 for that model on each item; question (N,): cluster labels. The mean
    difference with a cluster-robust normal interval; None with fewer than two questions.
    """
    gap = np.asarray(judge, dtype=np.float64) - np.asarray(people, dtype=np.float64)
    _, cluster = np.unique(np.asarray(question), return_inverse=True)
    n_clusters = int(cluster.max()) + 1 if cluster.size else 0
    if n_clusters < 2:
        return None
    mean = float(gap.mean())
    sums = np.bincount(cluster, weights=gap - mean)
    half = normal_quantile(level) * math.sqrt(n_clusters / (n_clusters - 1) * float((sums**2).sum())) / gap.size
    return Interval(mean, mean - half, mean + half)


def kendall_tau_b(x: npt.ArrayLike, y: npt.ArrayLike) -> float | None:
    """Kendall's tau-b of two (N,) rankings, ties allowed (Kendall 1945); None where one side is constant."""
    a, b = _pair_signs(x), _pair_signs(y)
    scale = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else None


def spearman(x: npt.ArrayLike, y: npt.ArrayLike) -> float | None:
    """Spearman's rho of two (N,) rankings, ties at their mean rank; None where one side is constant."""
    a, b = (_mean_ranks(values) - (np.size(values) + 1) / 2 for values in (x, y))
    scale = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else None


def _pair_signs(values: npt.ArrayLike) -> Floats:
    column = np.asarray(values, dtype=np.float64)
    return np.sign(np.subtract.outer(column, column))


def _mean_ranks(values: npt.ArrayLike) -> Floats:
    _, inverse, counts = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse])
