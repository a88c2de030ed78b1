"""Bootstrap on pair counts: the cross-check of the sandwich intervals.

Drawing the cells of the count matrix from a multinomial is the same distribution as resampling the votes themselves
(Efron 1979), at a price that does not depend on their number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leaderboard.bt.components import strong_components
from leaderboard.bt.likelihood import maximum_likelihood
from leaderboard.inference import Floats


@dataclass(frozen=True)
class Bootstrap:
    """Strengths (rounds kept, M), mean 0 in each; `n_infinite` rounds had no finite ratings and are left out."""

    draws: Floats
    n_infinite: int

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Percentile bounds (M,) of the strengths."""
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return low, high


def bootstrap(wins: Floats, ties: Floats, theta: Floats, rounds: int = 200, seed: int = 0) -> Bootstrap:
    """Refit `rounds` resamples of the votes, each started at the estimate `theta` (M,) of the strongly connected core.

    Counts must be whole votes. Memory is rounds times the number of non-empty cells.
    """
    size = theta.size
    drawn_ties = np.triu(ties)
    counts = np.concatenate([wins.ravel(), drawn_ties.ravel()])
    cells = np.flatnonzero(counts)
    n_votes = round(float(counts.sum()))
    samples = np.random.default_rng(seed).multinomial(n_votes, counts[cells] / counts.sum(), size=rounds)
    kept: list[Floats] = []
    for sample in samples:
        full = np.zeros(2 * size * size)
        full[cells] = sample
        won, tied = full.reshape(2, size, size)
        points = won + (tied + tied.T) / 2
        if strong_components(points).any():
            continue
        kept.append(maximum_likelihood(points + points.T, points, theta))
    return Bootstrap(np.array(kept).reshape(len(kept), size), rounds - len(kept))
