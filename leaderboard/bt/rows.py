"""Bradley-Terry with covariates, fitted over vote rows: quasi-Newton with a sparse +-1 design and a small dense block.

Covariates do not compress into pair counts, so the cost is linear in the votes; what can be saved is passes. The
information matrix is nearly known from sums by pair, so that the first passes, in single precision, are nearly Newton
steps; BFGS (Nocedal and Wright 2006, 6.1) takes what it lacks from their gradients, and a last pass or two in double
precision settle the end. Where that does not shrink the steps, plain Newton does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from leaderboard.bt.likelihood import NoMaximumError, inverse_spd
from leaderboard.bt.row_sums import Outline, Passes, Rows
from leaderboard.inference import Floats

__all__ = ["Ridge", "RowFit", "Rows", "estimate", "fit_rows"]

SINGLE_ACCURACY: Final = 1e-6
ACCURACY: Final = 1e-9
NEWTON_ACCURACY: Final = 1e-6
LONG_STEP: Final = 1e-2
"""While steps are longer, the information changes with them."""
MAX_STEPS: Final = 15


@dataclass(frozen=True)
class Ridge:
    """L2 penalties 1/2 r theta^2 and 1/2 r beta^2 added to the negative log-likelihood; 0 is maximum likelihood."""

    strengths: float = 0.0
    coefficients: float = 0.0


@dataclass(frozen=True)
class RowFit:
    """Strengths (M,) with mean 0 where not penalised, coefficients (k,), and their joint sandwich covariance."""

    theta: Floats
    beta: Floats
    covariance: Floats


def fit_rows(rows: Rows, start: Floats, ridge: Ridge) -> RowFit:
    """Penalised maximum likelihood and Huber's sandwich; `start` (M,) are the strengths without covariates.

    Raises NoMaximumError where no step settles it, as when a covariate decides every vote.
    """
    size = rows.n_models
    parameters = estimate(rows, start, ridge)
    information, meat = Passes(rows, np.float64).moments(parameters)
    bread = _Penalty.of(rows, ridge).inverse(information)
    return RowFit(parameters[:size], parameters[size:], bread @ meat @ bread)


def estimate(rows: Rows, start: Floats, ridge: Ridge) -> Floats:
    """The strengths and coefficients (M + k,) of `fit_rows` alone, exact to about 1e-9."""
    penalty = _Penalty.of(rows, ridge)
    begin = np.concatenate([start, np.zeros(len(rows.features))])
    exact = Passes(rows, np.float64)
    fast = Passes(rows, np.float32)
    found = _Descent(begin, penalty, Outline.of(rows)).over(fast, SINGLE_ACCURACY).over(exact, ACCURACY)
    return found.parameters if found.is_settled else _newton(exact, begin, penalty)


@dataclass(frozen=True)
class _Penalty:
    """The ridge as weights (M + k,). Without one on the M strengths their mean is free and kept at 0."""

    weight: Floats
    n_models: int

    @classmethod
    def of(cls, rows: Rows, ridge: Ridge) -> _Penalty:
        weights = [ridge.strengths, ridge.coefficients]
        return cls(np.repeat(weights, [rows.n_models, len(rows.features)]), rows.n_models)

    def inverse(self, information: Floats) -> Floats:
        """Of the penalised information, the free direction filled in. Raises LinAlgError where there is none."""
        h, size = information, self.n_models
        h[np.diag_indices_from(h)] += self.weight
        if not self.weight[0]:
            h[:size, :size] += np.trace(h[:size, :size]) / size**2
        return inverse_spd(h)

    def moved(self, parameters: Floats, step: Floats) -> Floats:
        result: Floats = parameters + step
        if not self.weight[0]:
            result[: self.n_models] -= result[: self.n_models].mean()
        return result


class _Descent:
    """Quasi-Newton steps from a start: the inverse information from the outline while steps are long, then BFGS."""

    def __init__(self, parameters: Floats, penalty: _Penalty, outline: Outline) -> None:
        self.parameters, self.is_settled = parameters, False
        self._penalty, self._outline = penalty, outline
        self._inverse = np.zeros((parameters.size, parameters.size))
        self._moved, self._rate = math.inf, 1.0

    def over(self, passes: Passes, accuracy: float) -> _Descent:
        """Steps until what is left is below `accuracy`, or they no longer shrink."""
        self.is_settled = False
        before, step = np.zeros(0), np.zeros(0)
        for number in range(MAX_STEPS):
            slope, residuals = passes.slope(self.parameters)
            slope -= self._penalty.weight * self.parameters
            if not self._curve(residuals, step, before - slope if number else before):
                break
            before, step = slope, self._inverse @ slope
            moved = float(np.abs(step).max())
            if not moved < max(self._moved / 2, accuracy):
                break
            self._rate = moved / self._moved if number else self._rate
            self.parameters, self._moved = self._penalty.moved(self.parameters, step), moved
            if moved * self._rate < accuracy:
                self.is_settled = True
                break
        return self

    def _curve(self, residuals: Floats, step: Floats, change: Floats) -> bool:
        """Brings the inverse information up to the last step, which took `change` off the slope; False if it can't."""
        if self._moved > LONG_STEP:
            try:
                beta = self.parameters[self._penalty.n_models :]
                self._inverse = self._penalty.inverse(self._outline.information(residuals, beta))
            except np.linalg.LinAlgError:
                return False
        elif change.size:
            curvature, image = float(step @ change), self._inverse @ change
            if curvature > 0:
                mixed = np.outer(image, step)
                along = (1 + float(change @ image) / curvature) / curvature
                self._inverse += along * np.outer(step, step) - (mixed + mixed.T) / curvature
        return True


def _newton(passes: Passes, parameters: Floats, penalty: _Penalty) -> Floats:
    """Newton's method with the full information at every step, its steps held to 2."""
    for _ in range(50):
        information, _ = passes.moments(parameters)
        slope = passes.slope(parameters)[0] - penalty.weight * parameters
        try:
            step = penalty.inverse(information) @ slope
        except np.linalg.LinAlgError:
            break
        moved = float(np.abs(step).max())
        if not math.isfinite(moved):
            break
        parameters = penalty.moved(parameters, step * min(1.0, 2.0 / max(moved, 2.0)))
        if moved < NEWTON_ACCURACY:
            return parameters
    raise NoMaximumError("style control has no finite solution on these votes; use a ridge or more votes")
