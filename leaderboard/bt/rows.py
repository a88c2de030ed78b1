"""Bradley-Terry with covariates: Newton over vote rows with a sparse +-1 design and a small dense block.

Covariates do not compress into pair counts, so the cost is linear in the votes. Rows are sorted by pair once; then a
pass is a few vector operations on chunks that fit the processor's cache, and every sum over a pair is one `reduceat`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from leaderboard.bt.likelihood import NoMaximumError, inverse_spd
from leaderboard.inference import Floats, Ints

CHUNK: Final = 1 << 14
SUBSAMPLE: Final = 16
"""Every 16th row settles the start, so that the full pass is made two or three times only."""


@dataclass(frozen=True)
class Ridge:
    """L2 penalties 1/2 r theta^2 and 1/2 r beta^2 added to the negative log-likelihood; 0 is maximum likelihood."""

    strengths: float = 0.0
    coefficients: float = 0.0


@dataclass(frozen=True)
class Rows:
    """N votes sorted by ordered pair of models.

    score (N,): 1, 1/2 or 0 for the left model; features (k, N): covariates, left less right; pair (N,): index into
    `first` and `second` (P,), the left and right model of each pair.
    """

    n_models: int
    score: Floats
    features: Floats
    pair: Ints
    first: Ints
    second: Ints

    @classmethod
    def of(
        cls, n_models: int, left: npt.ArrayLike, right: npt.ArrayLike, score: npt.ArrayLike, features: Floats
    ) -> Self:
        """Sort votes: left, right (N,) model indices, score (N,) for the left, features (k, N) left less right."""
        key = np.asarray(left, dtype=np.int64) * n_models + np.asarray(right)
        order = _sorting(key)
        key = np.take(key, order)
        starts = np.flatnonzero(np.diff(key, prepend=-1))
        pair = np.repeat(np.arange(starts.size), np.diff(np.append(starts, key.size)))
        sorted_features = np.empty(features.shape)
        for row, values in zip(sorted_features, features, strict=True):
            np.take(values, order, out=row, mode="clip")
        y = np.take(np.asarray(score, dtype=np.float64), order)
        return cls(n_models, y, sorted_features, pair, key[starts] // n_models, key[starts] % n_models)

    def every(self, step: int) -> Rows:
        """A stratified subsample: every `step`-th row of each stretch of pairs."""
        rows = slice(None, None, step)
        return Rows(
            self.n_models, self.score[rows], self.features[:, rows].copy(), self.pair[rows], self.first, self.second
        )


@dataclass(frozen=True)
class RowFit:
    """Strengths (M,) with mean 0 where not penalised, coefficients (k,), and their joint sandwich covariance."""

    theta: Floats
    beta: Floats
    covariance: Floats


def fit_rows(rows: Rows, start: Floats, ridge: Ridge) -> RowFit:
    """Penalised maximum likelihood and Huber's sandwich; `start` (M,) are the strengths without covariates.

    Raises NoMaximumError where Newton's method does not settle, as when a covariate decides every vote.
    """
    size = rows.n_models
    parameters = np.concatenate([start, np.zeros(len(rows.features))])
    if rows.score.size > 64 * parameters.size * SUBSAMPLE:
        few = Ridge(ridge.strengths / SUBSAMPLE, ridge.coefficients / SUBSAMPLE)
        parameters, _ = _newton(_Passes.over(rows.every(SUBSAMPLE)), parameters, few, tolerance=1e-2)
    passes = _Passes.over(rows)
    # Newton's error is squared by every step, and the last pass adds one more: 1e-4 leaves 1e-12.
    parameters, bread = _newton(passes, parameters, ridge, tolerance=1e-4)
    slope, meat = passes.sums(parameters, squared=True)
    parameters = _moved(parameters, bread @ (slope - _penalty(rows, ridge) * parameters), size, ridge)
    return RowFit(parameters[:size], parameters[size:], bread @ meat @ bread)


def _newton(passes: _Passes, parameters: Floats, ridge: Ridge, tolerance: float) -> tuple[Floats, Floats]:
    """Parameters (M + k,) and inverse penalised information of the last step."""
    rows = passes.rows
    penalty = _penalty(rows, ridge)
    for _ in range(50):
        slope, h = passes.sums(parameters)
        try:
            inverse = inverse_spd(_bordered(h, rows.n_models, ridge))
        except np.linalg.LinAlgError:
            break
        step = inverse @ (slope - penalty * parameters)
        moved = float(np.abs(step).max())
        if not math.isfinite(moved):
            break
        parameters = _moved(parameters, step * min(1.0, 2.0 / max(moved, 2.0)), rows.n_models, ridge)
        if moved < tolerance:
            return parameters, inverse
    raise NoMaximumError("style control has no finite solution on these votes; use a ridge or more votes")


def _penalty(rows: Rows, ridge: Ridge) -> Floats:
    return np.repeat([ridge.strengths, ridge.coefficients], [rows.n_models, len(rows.features)])


def _moved(parameters: Floats, step: Floats, size: int, ridge: Ridge) -> Floats:
    """Parameters after a step; without a penalty the strengths' mean is free and kept at 0."""
    result = parameters + step
    if not ridge.strengths:
        result[:size] -= result[:size].mean()
    return np.asarray(result)


def _bordered(h: Floats, size: int, ridge: Ridge) -> Floats:
    """H with the penalties on its diagonal and, without one on the strengths, the ones direction filled in."""
    diagonal = np.arange(h.shape[0])
    h[diagonal[:size], diagonal[:size]] += ridge.strengths
    h[diagonal[size:], diagonal[size:]] += ridge.coefficients
    if not ridge.strengths:
        h[:size, :size] += np.trace(h[:size, :size]) / size**2
    return h


@dataclass(frozen=True)
class _Passes:
    """Rows cut into chunks: (rows, where each pair starts in the chunk, which pairs these are)."""

    rows: Rows
    chunks: list[tuple[slice, Ints, slice | Ints]]

    @classmethod
    def over(cls, rows: Rows) -> _Passes:
        chunks: list[tuple[slice, Ints, slice | Ints]] = []
        for begin in range(0, rows.score.size, CHUNK):
            pair = rows.pair[begin : begin + CHUNK]
            starts = np.flatnonzero(np.diff(pair, prepend=-1))
            first, last = int(pair[0]), int(pair[-1]) + 1
            at = slice(first, last) if starts.size == last - first else pair[starts]
            chunks.append((slice(begin, begin + pair.size), starts, at))
        return cls(rows, chunks)

    def sums(self, parameters: Floats, *, squared: bool = False) -> tuple[Floats, Floats]:
        """Gradient (M + k,) and information (M + k, M + k); with `squared` the scores' outer products instead."""
        rows, size, k = self.rows, self.rows.n_models, len(self.rows.features)
        gap = parameters[rows.second] - parameters[rows.first]
        beta = parameters[size:]
        by_pair = np.zeros((k + 2, rows.first.size))
        gradient, gram = np.zeros(k), np.zeros((k, k))
        buffer = np.empty((k + 2, CHUNK))
        with np.errstate(over="ignore"):
            for part, starts, at in self.chunks:
                x = rows.features[:, part]
                stacked = buffer[:, : x.shape[1]]
                residual, weight, weighted = stacked[0], stacked[1], stacked[2:]
                p = 1.0 / (1.0 + np.exp(gap[rows.pair[part]] - beta @ x))
                np.subtract(rows.score[part], p, out=residual)
                np.multiply(residual, residual, out=weight) if squared else np.multiply(p, 1.0 - p, out=weight)
                np.multiply(x, weight, out=weighted)
                gradient += x @ residual
                gram += weighted @ x.T
                by_pair[:, at] += np.add.reduceat(stacked, starts, axis=1)
        return self._assembled(by_pair, gradient, gram)

    def _assembled(self, by_pair: Floats, gradient: Floats, gram: Floats) -> tuple[Floats, Floats]:
        rows, size, k = self.rows, self.rows.n_models, len(gram)
        slope, h = np.empty(size + k), np.zeros((size + k, size + k))

        def to_models(values: Floats) -> Floats:
            added = np.bincount(rows.first, weights=values, minlength=size)
            return np.asarray(added - np.bincount(rows.second, weights=values, minlength=size))

        slope[:size], slope[size:] = to_models(by_pair[0]), gradient
        h[rows.first, rows.second] = -by_pair[1]
        h[:size, :size] += h[:size, :size].T.copy()
        h[np.arange(size), np.arange(size)] = -h[:size, :size].sum(axis=1)
        for column in range(k):
            h[:size, size + column] = h[size + column, :size] = to_models(by_pair[2 + column])
        h[size:, size:] = gram
        return slope, h


def _sorting(key: Ints) -> Ints:
    """A stable sorting order; numpy sorts 16-bit keys by radix, so wider ones go in two rounds."""
    order = np.argsort((key & 0xFFFF).astype(np.uint16), kind="stable")
    if key.size and key.max() > 0xFFFF:
        high = (key >> 16).astype(np.uint16)
        order = order[np.argsort(high[order], kind="stable")]
    return np.asarray(order)
