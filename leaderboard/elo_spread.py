"""How far an online Elo would scatter if the same number of votes had been cast anew, in any order.

Elo is a stochastic approximation with a constant step: x += K (y - p(x)) (e_i - e_j). Around its ratings the
covariance of M models follows dC/dt = -(A C + C A) + K^2 B per vote, from C = 0 at the first (the linear noise
approximation, Kushner and Yin 2003, ch. 10), where A = K alpha L(p(1-p)), B = L(var(y - p)), L the Laplacian of the
shares of pairs and alpha = ln 10/400. All of it follows from the pair counts, so the cost does not depend on the number
of votes; tests hold it against a bootstrap of votes in random order. With K = 4 and many votes the standard error tends
to sqrt(K/(2 alpha)) = 18.6 points: Elo forgets, and more votes do not make it more exact.
"""

from __future__ import annotations

import numpy as np

from leaderboard.elo import BASE, SCALE, K
from leaderboard.inference import Floats
from leaderboard.pair_counts import PairCounts

_ALPHA = float(np.log(BASE)) / SCALE


def standard_errors(counts: PairCounts, ratings: Floats, k: float = K) -> Floats:
    """Standard errors (M,) in points of Elo ratings (M,) after the counted votes; 0 for a model without any."""
    n_votes = counts.n_votes
    if n_votes <= 0:
        return np.zeros(ratings.size)
    gap = np.subtract.outer(ratings, ratings) * _ALPHA
    p = 1 / (1 + np.exp(np.clip(-gap, -700, 700)))
    drift = _laplacian(counts.battles * p * (1 - p) / n_votes) * k * _ALPHA
    # What votes were, not what they were expected to be: a tie is worth 1/2 and scatters less than a win or a loss.
    scatter = counts.wins * (1 - p) ** 2 + counts.wins.T * p**2 + counts.ties * (0.5 - p) ** 2
    noise = _laplacian(scatter / n_votes) * k**2
    rates, axes = np.linalg.eigh(drift)
    total = np.add.outer(rates, rates)
    small = np.abs(total) * n_votes < 1e-9
    grown = np.where(small, n_votes, -np.expm1(-total * n_votes) / np.where(small, 1.0, total))
    covariance = axes @ ((axes.T @ noise @ axes) * grown) @ axes.T
    found: Floats = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    return found


def _laplacian(weights: Floats) -> Floats:
    off = weights - np.diag(np.diagonal(weights))
    return np.asarray(np.diag(off.sum(axis=1)) - off)
