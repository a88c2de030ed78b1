"""Ratings that follow every vote exactly, for a core that stays strongly connected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from leaderboard.bt.likelihood import inverse_information, maximum_likelihood
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


def one_vote_step(theta: Floats, inverse: Floats, i: int, j: int, outcome: float) -> Floats:
    """Strengths after one more vote of i against j (outcome 1, 1/2 or 0), to first order, rank one: O(M).

    `inverse` is K before the vote. Follow with `polish`, which makes it exact.
    """
    direction = inverse[i] - inverse[j]
    p = 1 / (1 + math.exp(theta[j] - theta[i]))
    return np.asarray(theta + direction * (outcome - p) / (1 + p * (1 - p) * (direction[i] - direction[j])))


def polish(battles: Floats, points: Floats, theta: Floats, inverse: Floats) -> Floats:
    """Exact strengths from nearly exact ones by chord steps theta += K g, K being any recent inverse information."""
    won = points.sum(axis=1)
    for _ in range(20):
        strength = np.exp(theta - theta.max())
        slope = won - (battles * (strength[:, None] / np.add.outer(strength, strength))).sum(axis=1)
        step = inverse @ slope
        theta = theta + step - step.mean()
        if np.abs(step).max() < 1e-9:
            return theta
    return maximum_likelihood(battles, points, theta)
