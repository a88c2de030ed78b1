"""Sums over vote rows for Bradley-Terry with covariates: what a pass over the votes is for.

A pass is a few vector operations on chunks that fit the processor's cache. Everything that belongs to a pair is added
up by one count over the pairs' numbers; the +-1 design is never written down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from leaderboard.inference import Floats, Ints

CHUNK: Final = 1 << 15
Real = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Rows:
    """N votes among M models, P = M * M ordered pairs.

    left, right (N,): model indices; pair (N,): left * M + right; score (N,): 1, 1/2 or 0 for the left model; features
    (k, N): covariates, left less right.
    """

    n_models: int
    left: Ints
    right: Ints
    pair: Ints
    score: npt.NDArray[np.float32]
    features: Real

    @classmethod
    def of(cls, n_models: int, left: npt.ArrayLike, right: npt.ArrayLike, score: npt.ArrayLike, features: Real) -> Self:
        """Votes as columns of anything array-like."""
        a, b = (np.ascontiguousarray(column, dtype=np.intp) for column in (left, right))
        pair = a * n_models
        pair += b
        return cls(n_models, a, b, pair, np.ascontiguousarray(score, dtype=np.float32), np.ascontiguousarray(features))

    def by_pair(self, values: npt.ArrayLike | None = None) -> Floats:
        """(M, M): the sums of `values` (N,) over the rows of each ordered pair, or the numbers of rows."""
        size = self.n_models
        counted = np.bincount(self.pair, None if values is None else np.asarray(values), minlength=size * size)
        return counted.astype(np.float64, copy=False).reshape(size, size)


@dataclass(frozen=True)
class Outline:
    """What a pass need not find again. Per ordered pair: votes and points of the left (M, M), mean covariates
    (k, M * M). `within` (k, k) is the Gram matrix of the covariates less those means."""

    votes: Floats
    points: Floats
    means: Floats
    within: Floats

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """One pass over every column."""
        votes = rows.by_pair()
        means = np.array([rows.by_pair(column).ravel() for column in rows.features]).reshape(-1, votes.size)
        means /= np.maximum(votes, 1.0).ravel()
        gram = np.asarray(rows.features @ rows.features.T, dtype=np.float64)
        return cls(votes, rows.by_pair(rows.score), means, gram - (means * votes.ravel()) @ means.T)

    def information(self, residuals: Floats, beta: Floats) -> Floats:
        """(M + k, M + k): nearly the information where the pairs' summed residuals are `residuals` (M, M).

        Moments of p(1 - p) around the mean p of every pair to second order in x beta, as if the covariates spread
        normally and alike around every pair's means; exact where a pair has one row.
        """
        n_votes = max(float(self.votes.sum()), 1.0)
        mean = np.clip((self.points - residuals) / np.maximum(self.votes, 1.0), 0.0, 1.0)
        along = self.within @ beta / n_votes
        each = mean * (1 - mean)
        each /= 1 + each * float(beta @ along)
        weight = self.votes * each
        tilt = weight * (1 - 2 * mean)
        bend = float(weight.sum() - 6 * (weight * each).sum())
        weighted = self.means * weight.ravel()
        skew = np.outer(along, self.means @ tilt.ravel())
        gram = weighted @ self.means.T + self.within * (weight.sum() / n_votes)
        gram += skew + skew.T + bend * np.outer(along, along)
        cross = weighted.reshape(-1, *weight.shape) + along[:, None, None] * tilt
        return bordered(weight, cross.sum(axis=2) - cross.sum(axis=1), gram)


def bordered(weight: Floats, cross: Floats, gram: Floats) -> Floats:
    """(M + k, M + k) from the weights of ordered pairs (M, M), their Laplacian's border (k, M) and corner (k, k)."""
    size = len(weight)
    h = np.empty((size + len(gram), size + len(gram)))
    h[:size, :size] = -weight
    h[:size, :size] -= weight.T
    diagonal = np.arange(size)
    h[diagonal, diagonal] = 0.0
    h[diagonal, diagonal] = -h[:size, :size].sum(axis=1)
    h[size:, :size], h[:size, size:], h[size:, size:] = cross, cross.T, gram
    return h


class Passes:
    """Passes over rows in single or double precision, with room for what they need kept between them."""

    def __init__(self, rows: Rows, dtype: type[np.floating[Any]]) -> None:
        self.rows, self.dtype = rows, dtype
        self._features = rows.features.astype(dtype, copy=False)
        self._chunk = np.empty((2, min(CHUNK, rows.score.size)), dtype)
        self._by_row = np.empty(rows.score.size)

    def slope(self, parameters: Floats) -> tuple[Floats, Floats]:
        """Gradient of the log-likelihood (M + k,), and the residuals summed by ordered pair (M, M)."""
        size = self.rows.n_models
        slope = np.zeros(parameters.size)
        for part, x, p in self._probabilities(parameters):
            residual = np.subtract(self.rows.score[part], p, out=p)
            self._by_row[part] = residual
            slope[size:] += x @ residual
        residuals = self.rows.by_pair(self._by_row)
        slope[:size] = residuals.sum(axis=1) - residuals.sum(axis=0)
        return slope, residuals

    def moments(self, parameters: Floats) -> tuple[Floats, Floats]:
        """(M + k, M + k) each: the information, and the sum of the outer products of the votes' scores."""
        rows = self.rows
        squared = np.empty(rows.score.size)
        bread, meat = _Borders.empty(rows), _Borders.empty(rows)
        for part, x, p in self._probabilities(parameters):
            weight = np.multiply(p, 1 - p, out=self._chunk[1, : p.size])
            self._by_row[part] = weight
            bread.add(rows, part, x, weight)
            residual = np.subtract(rows.score[part], p, out=p)
            residual *= residual
            squared[part] = residual
            meat.add(rows, part, x, residual)
        return (
            bordered(rows.by_pair(self._by_row), bread.cross, bread.gram),
            bordered(rows.by_pair(squared), meat.cross, meat.gram),
        )

    def _probabilities(self, parameters: Floats) -> Iterator[tuple[slice, Real, Real]]:
        """Chunk by chunk: which rows, their covariates, and P(left wins), which the caller may overwrite."""
        rows, size = self.rows, self.rows.n_models
        single = parameters.astype(self.dtype)
        theta, beta = single[:size], single[size:]
        deficit = (theta[None, :] - theta[:, None]).ravel()
        for begin in range(0, rows.score.size, CHUNK):
            part = slice(begin, min(begin + CHUNK, rows.score.size))
            p, z = self._chunk[:, : part.stop - begin]
            x: Real = self._features[:, part]
            np.take(deficit, rows.pair[part], out=p, mode="clip")
            p -= np.dot(beta, x, out=z)
            with np.errstate(over="ignore"):
                np.exp(p, out=p)
            p += 1
            np.divide(1, p, out=p)
            yield part, x, p


@dataclass(frozen=True)
class _Borders:
    """Growing sums of weights times covariates: cross (k, M) of models and covariates, gram (k, k)."""

    cross: Floats
    gram: Floats

    @classmethod
    def empty(cls, rows: Rows) -> Self:
        k = len(rows.features)
        return cls(np.zeros((k, rows.n_models)), np.zeros((k, k)))

    def add(self, rows: Rows, part: slice, x: Real, weight: Real) -> None:
        weighted = x * weight
        self.gram[...] += weighted @ x.T
        for total, values in zip(self.cross, weighted, strict=True):
            total += np.bincount(rows.left[part], values, rows.n_models)
            total -= np.bincount(rows.right[part], values, rows.n_models)
