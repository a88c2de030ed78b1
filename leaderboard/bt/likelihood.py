"""Bradley-Terry by maximum likelihood from pair counts: Newton's method, sandwich covariance, one-vote update.

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


class NoMaximumError(ValueError):
    """The likelihood has no finite maximum: somebody only wins, only loses, or is not connected."""


def cold_start(battles: Floats, points: Floats) -> Floats:
    """Smoothed log-odds of every model's share of points, mean 0: (M,)."""
    won, played = points.sum(axis=1), battles.sum(axis=1)
    theta = np.log((won + 0.5) / (played - won + 0.5))
    return np.asarray(theta - theta.mean())


def maximum_likelihood(battles: Floats, points: Floats, start: Floats | None = None) -> Floats:
    """The strengths (M,) that maximise the likelihood, exact to about 1e-10; `start` is a warm start.

    Raises NoMaximumError where Newton's steps do not end, which on a strongly connected graph they do.
    """
    size = battles.shape[0]
    if size < 2:
        return np.zeros(size)
    won = points.sum(axis=1)
    theta = cold_start(battles, points) if start is None else start - start.mean()
    moved = 1.0
    for _ in range(MAX_NEWTON_STEPS):
        slope, curvature = _local(battles, won, theta)
        try:
            step = curvature.solve(slope, accuracy=min(1e-2, max(1e-8, 1e-2 * moved)))
        except np.linalg.LinAlgError:
            break
        moved = float(np.abs(step).max())
        if not math.isfinite(moved):
            break
        if moved > 1.0:
            step *= _damping(battles, points, theta, step)
        theta = theta + step - step.mean()
        if moved < 1e-7:
            return np.asarray(theta)
    raise NoMaximumError("the ratings have no finite solution; rate the strongly connected core alone")


def log_likelihood(battles: Floats, points: Floats, theta: Floats) -> float:
    """Sum of y log p over all ordered pairs, natural logarithm, constants left out."""
    return float(points.sum(axis=1) @ theta - (battles * np.logaddexp.outer(theta, theta)).sum() / 2)


def win_matrix(theta: Floats) -> Floats:
    """(M, M): probability that row beats column."""
    strength = np.exp(theta - theta.max())
    return np.asarray(strength[:, None] / np.add.outer(strength, strength))


def information(battles: Floats, theta: Floats, weights: Floats | None = None) -> Floats:
    """Observed information H (M, M): the graph Laplacian with weights w n p (1 - p); singular along the ones."""
    p = win_matrix(theta)
    return _laplacian(battles * p * p.T if weights is None else weights * battles * p * p.T)


def inverse_information(battles: Floats, theta: Floats, weights: Floats | None = None, ridge: float = 0.0) -> Floats:
    """K = (H + ridge I + c 11')^-1, which acts as the pseudo-inverse of H on contrasts; c is H's mean diagonal / M."""
    h = information(battles, theta, weights)
    h += np.trace(h) / h.shape[0] ** 2
    if ridge:
        h[np.diag_indices_from(h)] += ridge
    return inverse_spd(h)


def score_variance(wins: Floats, ties: Floats, theta: Floats, weights: Floats | None = None) -> Floats:
    """B (M, M): sum of the outer products of the votes' scores, a Laplacian; a tie scores 1/2 (White 1980)."""
    p = win_matrix(theta)
    b = wins * (1 - p) ** 2
    b = b + b.T + ties * (0.5 - p) ** 2
    return _laplacian(b if weights is None else b * weights**2)


def sandwich(inverse: Floats, score: Floats) -> Floats:
    """Covariance K B K (M, M) of the strengths: Huber's sandwich, right even where ties break the binomial model."""
    return np.asarray(inverse @ score @ inverse)


def sandwich_variances(inverse: Floats, score: Floats) -> Floats:
    """The diagonal of `sandwich` (M,) at the price of one product."""
    return np.asarray(np.einsum("ij,ij->i", inverse @ score, inverse))


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


def _local(battles: Floats, won: Floats, theta: Floats) -> tuple[Floats, _Curvature]:
    """Gradient (M,) and curvature of the log-likelihood at theta, in three passes over (M, M)."""
    strength = np.exp(theta - theta.max())
    sums = np.add.outer(strength, strength)
    ratio = battles / sums
    slope = won - strength * ratio.sum(axis=1)
    ratio /= sums
    diagonal = strength * (ratio @ strength)
    return slope - slope.mean(), _Curvature(ratio, strength, diagonal)


def _damping(battles: Floats, points: Floats, theta: Floats, step: Floats) -> float:
    """The first of 1, 1/2, 1/4 ... at which a long step still raises the likelihood."""
    here = log_likelihood(battles, points, theta)
    factor = 1.0
    while factor > 1e-6 and not log_likelihood(battles, points, theta + factor * step) > here:
        factor /= 2
    return factor


def _laplacian(weights: Floats) -> Floats:
    result = -weights
    result[np.diag_indices_from(result)] += weights.sum(axis=1)
    return result
