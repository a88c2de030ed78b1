"""Ratings that follow every vote exactly, for a core that stays strongly connected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from leaderboard.bt.likelihood import inverse_information, maximum_likelihood, one_vote_step, polish
from leaderboard.inference import Floats


@dataclass(frozen=True)
class LiveStrengths:
    """The maximum-likelihood strengths of the votes so far, and what the next vote needs.

    battles and points (M, M) as in `likelihood`; theta (M,) mean 0; inverse (M, M) the inverse information, kept by
    rank-one updates.
    """

    battles: Floats
    points: Floats
    theta: Floats
    inverse: Floats

    @classmethod
    def of(cls, battles: Floats, points: Floats) -> Self:
        """Fit from scratch; raises NoMaximumError where there is no finite fit."""
        theta = maximum_likelihood(battles, points)
        return cls(battles, points, theta, inverse_information(battles, theta))

    def after(self, i: int, j: int, outcome: float) -> LiveStrengths:
        """One more vote of model i against j, outcome 1, 1/2 or 0 for i; exact to 1e-9."""
        battles, points = self.battles.copy(), self.points.copy()
        battles[i, j] += 1
        battles[j, i] += 1
        points[i, j] += outcome
        points[j, i] += 1 - outcome
        guess = one_vote_step(self.theta, self.inverse, i, j, outcome)
        direction = self.inverse[i] - self.inverse[j]
        p = 1 / (1 + np.exp(guess[j] - guess[i]))
        shrink = p * (1 - p) / (1 + p * (1 - p) * (direction[i] - direction[j]))
        inverse = self.inverse - shrink * np.outer(direction, direction)
        return LiveStrengths(battles, points, polish(battles, points, guess, inverse), inverse)
