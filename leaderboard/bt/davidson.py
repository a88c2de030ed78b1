"""Davidson's model: ties as an outcome of their own (Davidson 1970), fitted on pair counts.

With d = theta_i - theta_j: P(win) : P(tie) : P(loss) = exp(d/2) : nu : exp(-d/2). Win against loss is Bradley-Terry.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leaderboard.bt.likelihood import NoMaximumError, maximum_likelihood
from leaderboard.inference import Floats


@dataclass(frozen=True)
class DavidsonFit:
    """Strengths (M,) with mean 0, the tie parameter nu, and the sandwich covariance of the strengths (M, M)."""

    theta: Floats
    nu: float
    covariance: Floats


def fit_davidson(wins: Floats, ties: Floats, start: Floats | None = None) -> DavidsonFit:
    """Maximum likelihood by Newton on theta and log nu; needs one strong component, at least one win and one tie.

    Raises NoMaximumError where all votes are ties or none is: the tie parameter has no finite value then.
    """
    battles = wins + wins.T + ties
    if not ties.any() or not wins.any():
        raise NoMaximumError("Davidson's model needs both decided and tied votes; use Bradley-Terry")
    size = battles.shape[0]
    theta = maximum_likelihood(battles, wins + ties / 2, start)
    log_nu = float(np.log(2 * ties.sum() / max(battles.sum() - ties.sum(), 1.0)))
    for _ in range(200):
        slope, h = _derivatives(wins, ties, theta, log_nu)
        try:
            step = np.linalg.solve(h, slope)
        except np.linalg.LinAlgError:
            break
        moved = float(np.abs(step).max())
        if not np.isfinite(moved):
            break
        step *= min(1.0, 1.0 / moved) if moved > 0 else 1.0
        theta = theta + step[:size] - step[:size].mean()
        log_nu += float(step[size])
        if moved < 1e-8:
            inverse = np.linalg.inv(_derivatives(wins, ties, theta, log_nu)[1])
            covariance = inverse @ _score_variance(wins, ties, theta, log_nu) @ inverse
            return DavidsonFit(np.asarray(theta), float(np.exp(log_nu)), covariance[:size, :size])
    raise NoMaximumError("Davidson's model has no finite solution on these votes")


def _probabilities(theta: Floats, log_nu: float) -> tuple[Floats, Floats]:
    """(M, M): win minus loss probability of row against column, and the probability of a tie."""
    root = np.exp(np.subtract.outer(theta, theta) / 2)
    total = root + root.T + np.exp(log_nu)
    return (root - root.T) / total, np.exp(log_nu) / total


def _derivatives(wins: Floats, ties: Floats, theta: Floats, log_nu: float) -> tuple[Floats, Floats]:
    """Gradient (M + 1,) and negative Hessian (M + 1, M + 1), the ones direction filled in."""
    size = theta.size
    battles = wins + wins.T + ties
    lead, tie = _probabilities(theta, log_nu)
    slope = np.empty(size + 1)
    slope[:size] = ((wins - wins.T - battles * lead) / 2).sum(axis=1)
    slope[size] = (ties - battles * tie).sum() / 2
    h = np.empty((size + 1, size + 1))
    weight = battles * (1 - tie - lead**2) / 4
    h[:size, :size] = np.diag(weight.sum(axis=1)) - weight
    h[:size, :size] += np.trace(h[:size, :size]) / size**2
    h[:size, size] = h[size, :size] = -(battles * lead * tie).sum(axis=1) / 2
    h[size, size] = (battles * tie * (1 - tie)).sum() / 2
    return slope, h


def _score_variance(wins: Floats, ties: Floats, theta: Floats, log_nu: float) -> Floats:
    """Sum over votes of score times score': (M + 1, M + 1)."""
    size = theta.size
    lead, tie = _probabilities(theta, log_nu)
    won, lost, drew = (1 - lead) / 2, (-1 - lead) / 2, -lead / 2
    weight = wins * won**2 + wins.T * lost**2 + ties * drew**2
    cross = -tie * (wins * won + wins.T * lost) + (1 - tie) * ties * drew
    b = np.empty((size + 1, size + 1))
    b[:size, :size] = np.diag(weight.sum(axis=1)) - weight
    b[:size, size] = b[size, :size] = cross.sum(axis=1)
    b[size, size] = (wins * tie**2).sum() + (ties * (1 - tie) ** 2).sum() / 2
    return b
