"""A combined rating: people's votes decide, a judge's many verdicts take out noise (prediction-powered inference).

Within a pair of models the people's points are corrected by how the judge's verdicts on the voted battles differ by
chance from its verdicts on the others: points + lambda (n mean(judge, not voted) - sum(judge, voted)). The correction
has mean zero whatever the judge prefers, so its bias never enters; its agreement with people battle by battle is what
narrows the intervals. Angelopoulos et al. 2023 (PPI) and 2024 (PPI++, lambda tuned), stratified by pair so that the
judge may have seen other pairs than people did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from leaderboard.bt.likelihood import (
    NoMaximumError,
    inverse_information,
    maximum_likelihood,
    sandwich,
    win_matrix,
)
from leaderboard.bt.table import Core, RatingTable, tabulate
from leaderboard.inference import Floats, Ints
from leaderboard.pair_counts import PairCounts

_SCORE: Final = np.array([1.0, 0.0, 0.5, 0.5])


@dataclass(frozen=True)
class Verdicts:
    """N judge verdicts: left, right (N,) model indices, score (N,) 0..1 for the left (the mean of both orders)."""

    left: npt.ArrayLike
    right: npt.ArrayLike
    score: npt.ArrayLike


@dataclass(frozen=True)
class CombinedTable:
    """Ratings of people corrected by a judge.

    weight: the tuned lambda, 0 (the judge says nothing about people) to 1; width_ratio: mean interval width over that
    of the people's votes alone, None where nobody is rated; n_votes and n_verdicts went in.
    """

    table: RatingTable
    weight: float
    width_ratio: float | None
    n_votes: int
    n_verdicts: int


def combine(
    models: Sequence[str],
    voted: Verdicts,
    outcome: npt.ArrayLike,
    unvoted: Verdicts,
    *,
    anchor: tuple[str, float] | None = None,
    level: float = 0.95,
) -> CombinedTable:
    """Rate models on people's votes `outcome` (N,) (codes into OUTCOMES) on the battles `voted`, and the judge's rest.

    Every voted battle needs the judge's verdict; `unvoted` battles have only that and must not contain voted ones.
    Rated are the models that the people's votes alone can rate; the people's pairs decide what is estimated.
    """
    size = len(models)
    seen = _Paired.of(size, voted, _SCORE[np.asarray(outcome, dtype=np.int64)])
    rest = _Paired.of(size, unvoted, np.zeros(np.size(unvoted.left)))
    people = PairCounts.from_votes(models, voted.left, voted.right, outcome)
    core = Core.of(people)
    at = np.ix_(core.mask, core.mask)
    theta, covariance = np.full(size, np.nan), np.full((size, size), np.nan)
    n_verdicts = np.size(voted.left) + np.size(unvoted.left)
    if not core.mask.any():
        table = tabulate(people, core, theta, covariance, anchor=anchor, level=level)
        return CombinedTable(table, 0.0, None, np.size(voted.left), n_verdicts)
    number = np.cumsum(core.mask) - 1
    parts = seen.within(core.mask, number), rest.within(core.mask, number)
    fit = _Correction.of(people.battles[at], people.points[at], *parts)
    theta[core.mask], covariance[at] = fit.theta, fit.covariance
    table = tabulate(people, core, theta, covariance, anchor=anchor, level=level)
    return CombinedTable(table, fit.weight, fit.width_ratio, np.size(voted.left), n_verdicts)


@dataclass(frozen=True)
class _Paired:
    """Battles turned so that first < second: models, the judge's and the people's score of the first, all (N,)."""

    size: int
    first: Ints
    second: Ints
    judge: Floats
    people: Floats

    @classmethod
    def of(cls, size: int, verdicts: Verdicts, people: Floats) -> _Paired:
        left, right = np.asarray(verdicts.left, dtype=np.int64), np.asarray(verdicts.right, dtype=np.int64)
        judge = np.asarray(verdicts.score, dtype=np.float64)
        if not left.shape == right.shape == judge.shape == people.shape:
            raise ValueError("every battle needs two models and the judge's score, and every voted one a vote")
        if judge.size and not 0 <= judge.min() <= judge.max() <= 1:
            raise ValueError("a judge's score of the left answer must lie in 0..1; leave unparsable verdicts out")
        turned = left > right
        return cls(
            size,
            np.where(turned, right, left),
            np.where(turned, left, right),
            np.where(turned, 1 - judge, judge),
            np.where(turned, 1 - people, people),
        )

    def within(self, mask: npt.NDArray[np.bool_], number: Ints) -> _Paired:
        kept = mask[self.first] & mask[self.second]
        first, second = number[self.first[kept]], number[self.second[kept]]
        return _Paired(int(mask.sum()), first, second, self.judge[kept], self.people[kept])

    def sums(self, values: Floats) -> Floats:
        """(M, M), upper triangle: the sum of `values` (N,) over the battles of each pair."""
        cell = self.first * self.size + self.second
        summed = np.bincount(cell, weights=values, minlength=self.size**2)
        return np.asarray(summed, dtype=np.float64).reshape(self.size, self.size)


@dataclass(frozen=True)
class _Correction:
    theta: Floats
    covariance: Floats
    weight: float
    width_ratio: float

    @classmethod
    def of(cls, battles: Floats, points: Floats, voted: _Paired, unvoted: _Paired) -> _Correction:
        alone = maximum_likelihood(battles, points)
        n, others = voted.sums(np.ones(voted.judge.size)), unvoted.sums(np.ones(unvoted.judge.size))
        usable = (n > 0) & (others > 0)
        mean_other = np.divide(unvoted.sums(unvoted.judge), others, out=np.zeros_like(n), where=usable)
        shift = np.where(usable, n * mean_other - voted.sums(voted.judge), 0.0)
        spread = _Spread.of(voted, unvoted, usable, win_matrix(alone))
        inverse = inverse_information(battles, alone)
        weight = spread.best_weight(inverse)
        theta = alone
        while weight > 1e-3:
            corrected = points + weight * (shift - shift.T)
            try:
                theta = maximum_likelihood(battles, corrected, alone)
                break
            except NoMaximumError:  # the correction left the range of possible points: believe the judge less
                weight /= 2
        weight = weight if weight > 1e-3 else 0.0
        own = spread.score(0.0)
        covariance = sandwich(inverse_information(battles, theta), spread.score(weight))
        before = np.sqrt(np.diagonal(sandwich(inverse, own)))
        return cls(theta, covariance, weight, float(np.mean(np.sqrt(np.diagonal(covariance)) / before)))


@dataclass(frozen=True)
class _Spread:
    """(M, M) upper triangles: sums over votes of residual products, people's and judge's, and the judge's own noise.

    people: (y - p)^2; joint: (y - p)(f - m) with m the judge's mean on the pair; judge: (f - m)^2, both where usable;
    noise: n^2 var(f)/n_other, the price of knowing m from the other battles alone.
    """

    people: Floats
    joint: Floats
    judge: Floats
    noise: Floats

    @classmethod
    def of(cls, voted: _Paired, unvoted: _Paired, usable: npt.NDArray[np.bool_], p: Floats) -> _Spread:
        ones = [np.ones(part.judge.size) for part in (voted, unvoted)]
        n, others = voted.sums(ones[0]), unvoted.sums(ones[1])
        total = n + others
        mean = np.divide(
            voted.sums(voted.judge) + unvoted.sums(unvoted.judge), total, where=total > 0, out=np.zeros_like(n)
        )
        y = voted.people - p[voted.first, voted.second]
        f = voted.judge - mean[voted.first, voted.second]
        g = unvoted.judge - mean[unvoted.first, unvoted.second]
        squares = voted.sums(f * f) + unvoted.sums(g * g)
        variance = np.divide(squares, total - 1, where=total > 1, out=np.full_like(n, 0.25))
        noise = np.divide(n * n * variance, others, where=usable, out=np.zeros_like(n))
        nothing = np.zeros_like(n)
        return cls(
            voted.sums(y * y),
            np.where(usable, voted.sums(y * f), nothing),
            np.where(usable, voted.sums(f * f), nothing),
            noise,
        )

    def score(self, weight: float) -> Floats:
        """Variance of the corrected score at lambda = weight: a graph Laplacian (M, M)."""
        return _laplacian(self.people - 2 * weight * self.joint + weight**2 * (self.judge + self.noise))

    def best_weight(self, inverse: Floats) -> float:
        """The lambda in 0..1 with the smallest total variance of the strengths, which is quadratic in it."""
        gain = float(np.trace(sandwich(inverse, _laplacian(self.joint))))
        price = float(np.trace(sandwich(inverse, _laplacian(self.judge + self.noise))))
        return min(1.0, max(0.0, gain / price)) if price > 0 else 0.0


def _laplacian(upper: Floats) -> Floats:
    weights = upper + upper.T
    return np.asarray(np.diag(weights.sum(axis=1)) - weights)
