"""Bradley-Terry by maximum likelihood from pair counts: Newton's method, sandwich covariance.

Strengths theta are natural logarithms with mean 0; P(i beats j) = 1/(1 + exp(theta_j - theta_i)). `battles` n is
(M, M) symmetric, `points` y is (M, M) with y + y.T = n; both have zero diagonals and one strongly connected graph of
wins and ties (see `components`), without which no maximum exists.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from leaderboard.inference import Floats

MAX_NEWTON_STEPS: Final = 100
MAX_CG_STEPS: Final = 80
DENSE_BELOW: Final = 48
"""Up to this many models a factorisation is quicker than conjugate gradients."""
BLOCK: Final = 64
CACHED: Final = 1 << 16
"""Numbers that fit the processor's second cache several times over."""
ACCURACY: Final = 1e-9
NEARLY: Final = 1e-6


class NoMaximumError(ValueError):
    """The likelihood has no finite maximum: somebody only wins, only loses, or is not connected."""


def cold_start(battles: Floats, points: Floats) -> Floats:
    """Smoothed log-odds of every model's share of points, mean 0: (M,)."""
    won, played = _row_sums(points), _row_sums(battles)
    theta = np.log((won + 0.5) / (played - won + 0.5))
    return np.asarray(theta - theta.mean())


def maximum_likelihood(battles: Floats, points: Floats, start: Floats | None = None) -> Floats:
    """The strengths (M,) that maximise the likelihood, exact to about 1e-10; `start` is a warm start.

    Raises NoMaximumError where Newton's steps do not end, which on a strongly connected graph they do.
    """
    return _climb(battles, points, start, ACCURACY)


@dataclass(frozen=True)
class Fit:
    """Strengths (M,) with mean 0; `inverse` K and `score` B, both (M, M), of their sandwich covariance K B K."""

    theta: Floats
    inverse: Floats
    score: Floats


def fit(wins: Floats, ties: Floats, weights: Floats | None = None, start: Floats | None = None) -> Fit:
    """What `maximum_likelihood`, `inverse_information` and `score_variance` give, from one look at the counts.

    Newton stops one step early; K, needed anyhow, makes that step, and K and B stand there, 1e-6 from the maximum.
    """
    battles = wins + wins.T
    battles += ties
    points = ties * 0.5
    points += wins
    weighted = (battles, points) if weights is None else (weights * battles, weights * points)
    theta = _climb(*weighted, start, NEARLY)
    if theta.size < 2:
        nothing = np.zeros((theta.size, theta.size))
        return Fit(theta, nothing, nothing)
    strength, reciprocal = _reciprocal_sums(theta)
    h = weighted[0] * reciprocal
    slope = _row_sums(weighted[1]) - strength * _row_sums(h)
    h *= reciprocal
    h *= np.multiply.outer(strength, strength)
    h = _laplacian(h)
    h += np.trace(h) / theta.size**2
    inverse = inverse_spd(h)
    step = inverse @ (slope - slope.mean())
    reciprocal *= strength
    return Fit(theta + step - step.mean(), inverse, _score_variance(wins, ties, reciprocal, weights))


def _climb(battles: Floats, points: Floats, start: Floats | None, accuracy: float) -> Floats:
    """Newton's method until what is left to move is below `accuracy`."""
    size = battles.shape[0]
    if size < 2:
        return np.zeros(size)
    won = _row_sums(points)
    theta = cold_start(battles, points) if start is None else start - start.mean()
    moved, room = 1.0, np.empty_like(battles)
    for _ in range(MAX_NEWTON_STEPS):
        slope, curvature = _local(battles, won, theta, room)
        solved_to = min(1e-2, max(1e-8, 1e-2 * moved))
        try:
            step = curvature.solve(slope, solved_to)
        except np.linalg.LinAlgError:
            break
        moved = float(np.abs(step).max())
        if not math.isfinite(moved):
            break
        if moved > 1.0:
            step *= _damping(battles, points, theta, step)
        theta = theta + step - step.mean()
        # Newton squares the error; solving inexactly leaves its share of the step.
        if moved * (moved + solved_to) < accuracy:
            return np.asarray(theta)
    raise NoMaximumError("the ratings have no finite solution; rate the strongly connected core alone")


def log_likelihood(battles: Floats, points: Floats, theta: Floats) -> float:
    """Sum of y log p over all ordered pairs, natural logarithm, constants left out."""
    return float(points.sum(axis=1) @ theta - (battles * np.logaddexp.outer(theta, theta)).sum() / 2)


def win_matrix(theta: Floats) -> Floats:
    """(M, M): probability that row beats column."""
    strength, each = _reciprocal_sums(-theta)
    each *= strength
    return each


def _reciprocal_sums(theta: Floats) -> tuple[Floats, Floats]:
    """exp(theta) (M,) up to a factor and 1/(e_i + e_j) (M, M)."""
    strength = np.exp(theta - theta.max())
    each = _sums(strength, strength, np.empty((theta.size, theta.size)))
    np.divide(1.0, each, out=each)
    return strength, each


def _sums(rows: Floats, columns: Floats, out: Floats) -> Floats:
    """rows_i + columns_j: as a product of rank two a third of what broadcasting over short rows takes."""
    left, right = np.ones((rows.size, 2)), np.ones((2, columns.size))
    left[:, 0], right[1] = rows, columns
    return np.asarray(np.matmul(left, right, out=out))


def _row_sums(matrix: Floats) -> Floats:
    return np.asarray(matrix @ np.ones(matrix.shape[1]))


def information(battles: Floats, theta: Floats, weights: Floats | None = None) -> Floats:
    """Observed information H (M, M): the graph Laplacian with weights w n p (1 - p); singular along the ones."""
    strength, each = _reciprocal_sums(theta)
    each *= each
    each *= np.multiply.outer(strength, strength)
    each *= battles
    return _laplacian(each if weights is None else weights * each)


def inverse_information(battles: Floats, theta: Floats, weights: Floats | None = None, ridge: float = 0.0) -> Floats:
    """K = (H + ridge I + c 11')^-1, which acts as the pseudo-inverse of H on contrasts; c is H's mean diagonal / M."""
    h = information(battles, theta, weights)
    h += np.trace(h) / h.shape[0] ** 2
    if ridge:
        h[np.diag_indices_from(h)] += ridge
    return inverse_spd(h)


def score_variance(wins: Floats, ties: Floats, theta: Floats, weights: Floats | None = None) -> Floats:
    """B (M, M): sum of the outer products of the votes' scores, a Laplacian; a tie scores 1/2 (White 1980)."""
    return _score_variance(wins, ties, win_matrix(-theta), weights)


def _score_variance(wins: Floats, ties: Floats, lost: Floats, weights: Floats | None) -> Floats:
    """The same where `lost` (M, M), which is overwritten, is the probability that column beats row."""
    b = wins * lost
    b *= lost
    b = b + b.T
    lost -= 0.5
    lost *= lost
    lost *= ties
    b += lost
    return _laplacian(b if weights is None else b * weights**2)


def sandwich(inverse: Floats, score: Floats) -> Floats:
    """Covariance K B K (M, M) of the strengths: Huber's sandwich, right even where ties break the binomial model."""
    return np.asarray(inverse @ score @ inverse)


def sandwich_variances(inverse: Floats, score: Floats) -> Floats:
    """The diagonal of `sandwich` (M,) at less than the price of one product: B's halves, the mirrored one left out."""
    size = len(score)
    if size <= BLOCK:
        return np.asarray(np.einsum("ij,ij->i", inverse @ score, inverse))
    half = size // 2
    left, right = inverse[:, :half], inverse[:, half:]
    mirrored = np.einsum("ij,ij->i", left @ score[:half, half:], right)
    return np.asarray(
        sandwich_variances(left, score[:half, :half]) + sandwich_variances(right, score[half:, half:]) + 2 * mirrored
    )


def inverse_spd(matrix: Floats) -> Floats:
    """Inverse of a symmetric positive definite matrix by halves (Schur complements): three times as fast as LU."""
    size = matrix.shape[0]
    if size <= BLOCK:
        return np.asarray(np.linalg.inv(matrix))
    half = size // 2
    head = inverse_spd(matrix[:half, :half])
    below = matrix[half:, :half] @ head
    tail = inverse_spd(matrix[half:, half:] - below @ matrix[:half, half:])
    cross = tail @ below
    result = np.empty_like(matrix)
    result[:half, :half] = head + below.T @ cross
    result[half:, :half] = -cross
    result[:half, half:] = -cross.T
    result[half:, half:] = tail
    return result


@dataclass(frozen=True)
class _Curvature:
    """H at one theta as diag(d) - e e' * q, so that no (M, M) product is spent on the strengths e."""

    q: Floats
    strength: Floats
    diagonal: Floats

    def solve(self, slope: Floats, accuracy: float) -> Floats:
        if slope.size > DENSE_BELOW:
            step = self._conjugate_gradients(slope, accuracy)
            if step is not None:
                return step
        h = -self.strength[:, None] * self.q * self.strength
        h[np.diag_indices_from(h)] = self.diagonal
        h += self.diagonal.mean() / slope.size
        return np.asarray(np.linalg.solve(h, slope))

    def _conjugate_gradients(self, slope: Floats, accuracy: float) -> Floats | None:
        """Jacobi-preconditioned; None where the graph is too badly conditioned for a few steps."""
        inverse_diagonal = 1 / self.diagonal
        x, residual = np.zeros_like(slope), slope
        z = inverse_diagonal * residual
        direction, rho = z, float(residual @ z)
        goal = rho * accuracy**2
        for _ in range(MAX_CG_STEPS):
            if rho <= goal or rho == 0.0:
                return x
            image = self.diagonal * direction - self.strength * (self.q @ (self.strength * direction))
            length = rho / float(direction @ image)
            x = x + length * direction
            residual = residual - length * image
            z = inverse_diagonal * residual
            before, rho = rho, float(residual @ z)
            direction = z + (rho / before) * direction
        return None


def _local(battles: Floats, won: Floats, theta: Floats, room: Floats) -> tuple[Floats, _Curvature]:
    """Gradient (M,) and curvature of the log-likelihood at theta; the curvature lives in `room` (M, M).

    Row by row in blocks that stay in the processor's cache.
    """
    strength = np.exp(theta - theta.max())
    size = theta.size
    expected, diagonal = np.empty(size), np.empty(size)
    rows = max(1, CACHED // size)
    sums = np.empty((min(rows, size), size))
    for begin in range(0, size, rows):
        part = slice(begin, begin + rows)
        q = room[part]
        here = _sums(strength[part], strength, sums[: len(q)])
        np.divide(battles[part], here, out=q)
        expected[part] = _row_sums(q)
        q /= here
        diagonal[part] = q @ strength
    slope = won - strength * expected
    return slope - slope.mean(), _Curvature(room, strength, strength * diagonal)


def _damping(battles: Floats, points: Floats, theta: Floats, step: Floats) -> float:
    """The first of 1, 1/2, 1/4 ... at which a long step still raises the likelihood."""
    here = log_likelihood(battles, points, theta)
    factor = 1.0
    while factor > 1e-6 and not log_likelihood(battles, points, theta + factor * step) > here:
        factor /= 2
    return factor


def _laplacian(weights: Floats) -> Floats:
    """In the place of `weights`."""
    total = _row_sums(weights)
    np.negative(weights, out=weights)
    weights.flat[:: len(weights) + 1] += total
    return weights
