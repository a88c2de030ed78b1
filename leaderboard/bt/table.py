"""The table of ratings: scale, anchor, intervals, ranks and reasons, from strengths and their covariance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from leaderboard.bt.components import Status, statuses, strong_components
from leaderboard.bt.provisional import provisional_strengths
from leaderboard.inference import (
    Bools,
    Floats,
    Interval,
    Ints,
    Ranks,
    normal_quantile,
    rank_intervals,
    surely_above,
    two_sided_p,
)
from leaderboard.pair_counts import PairCounts

SCALE: Final = 400.0
CENTRE: Final = 1000.0
POINTS_PER_UNIT: Final = SCALE / math.log(10)
"""Rating points per unit of theta: 173.7."""

RatingWarning = Literal["all_ties", "several_components", "anchor_not_rated", "nobody_rated"]


@dataclass(frozen=True)
class ModelRating:
    """One model's line. The rating, its bounds and ranks are None unless `status` is "rated".

    `rank_low..rank_high` are the ranks the model can hold (paired differences, Holm); `rank_ub` is the Arena's
    1 + number of models whose lower bound exceeds this upper bound. `provisional` is an unranked guess for a model
    with votes outside the core. battles, wins, losses, ties count votes; `both_bad` of the ties called both bad.
    """

    model: str
    status: Status
    component: int
    rating: float | None
    low: float | None
    high: float | None
    rank_low: int | None
    rank_high: int | None
    rank_ub: int | None
    provisional: float | None
    battles: float
    wins: float
    losses: float
    ties: float
    both_bad: float


@dataclass(frozen=True)
class RatingTable:
    """Ratings of every model, in the order of the counts.

    strengths (M,): natural-log strengths with mean 0 over the core, NaN outside; covariance (M, M) of the strengths,
    NaN outside the core; `anchor` names the model whose rating is fixed, if any; `warnings` are codes for the page.
    """

    rows: tuple[ModelRating, ...]
    strengths: Floats
    covariance: Floats
    n_votes: float
    anchor: str | None
    warnings: tuple[RatingWarning, ...]
    nu: float | None

    def start(self) -> dict[str, float]:
        """Strengths by model, to be handed to the next `rate` as its warm start."""
        return {row.model: float(s) for row, s in zip(self.rows, self.strengths, strict=True) if not math.isnan(s)}

    def difference(self, first: str, second: str, level: float = 0.95) -> Interval | None:
        """Rating of `first` less `second` with the difference's own interval; None outside the core."""
        i, j = (next(k for k, row in enumerate(self.rows) if row.model == name) for name in (first, second))
        gap = self.strengths[i] - self.strengths[j]
        if math.isnan(gap):
            return None
        variance = self.covariance[i, i] + self.covariance[j, j] - 2 * self.covariance[i, j]
        half = normal_quantile(level) * math.sqrt(max(variance, 0.0))
        return Interval(*(float(POINTS_PER_UNIT * x) for x in (gap, gap - half, gap + half)))


@dataclass(frozen=True)
class Core:
    """Who can be rated from the votes `used`: the mask of the core (M,), component numbers (M,) and statuses."""

    used: PairCounts
    mask: Bools
    component: Ints
    status: tuple[Status, ...]

    @classmethod
    def of(cls, used: PairCounts) -> Core:
        """The largest strongly connected component, where it has two models or more."""
        component = strong_components(used.points)
        status = tuple(statuses(used.battles, used.points, component))
        return cls(used, np.array([state == "rated" for state in status], dtype=np.bool_), component, status)

    @property
    def names(self) -> list[str]:
        """The core's models in the order of the counts."""
        return [model for model, inside in zip(self.used.models, self.mask, strict=True) if inside]


def tabulate(
    counts: PairCounts,
    core: Core,
    theta: Floats,
    covariance: Floats,
    *,
    anchor: tuple[str, float] | None = None,
    level: float = 0.95,
    weights: Floats | None = None,
    nu: float | None = None,
) -> RatingTable:
    """All models of `counts` (shown as they are) rated by theta (M,) and covariance (M, M), NaN outside the core."""
    fixed = counts.models.index(anchor[0]) if anchor and anchor[0] in core.names else None
    offset = anchor[1] - POINTS_PER_UNIT * float(theta[fixed]) if anchor and fixed is not None else CENTRE
    scores = _scores(theta, covariance, offset, fixed, level)
    scaling = np.ones_like(core.used.wins) if weights is None else weights
    guesses = provisional_strengths(
        scaling * core.used.battles, scaling * core.used.points, core.mask, np.nan_to_num(theta)
    )
    rows = tuple(
        _row(counts, i, core.status[i], int(core.component[i]), scores, offset + POINTS_PER_UNIT * float(guesses[i]))
        for i in range(theta.size)
    )
    warnings = _warnings(core, anchor is not None and fixed is None)
    return RatingTable(
        rows, theta, covariance, counts.n_votes, None if fixed is None else counts.models[fixed], warnings, nu
    )


@dataclass(frozen=True)
class _Scores:
    """(M,) ratings, bounds and ranks; NaN or 0 outside the core."""

    rating: Floats
    low: Floats
    high: Floats
    rank_low: Ints
    rank_high: Ints
    rank_ub: Ints


def _scores(theta: Floats, covariance: Floats, offset: float, anchored: int | None, level: float) -> _Scores:
    rating = offset + POINTS_PER_UNIT * theta
    diagonal = np.diagonal(covariance)
    variance = diagonal if anchored is None else diagonal + diagonal[anchored] - 2 * covariance[anchored]
    half = normal_quantile(level) * POINTS_PER_UNIT * np.sqrt(np.maximum(variance, 0.0))
    core = ~np.isnan(theta)
    low, high = rating - half, rating + half
    ranks = _paired_ranks(theta[core], covariance[np.ix_(core, core)], 1 - level)
    rank_low, rank_high, rank_ub = (np.zeros(theta.size, dtype=np.int64) for _ in range(3))
    rank_low[core], rank_high[core] = ranks.low, ranks.high
    rank_ub[core] = 1 + (low[core][None, :] > high[core][:, None]).sum(axis=1)
    return _Scores(rating, low, high, rank_low, rank_high, rank_ub)


def _paired_ranks(theta: Floats, covariance: Floats, alpha: float) -> Ranks:
    """Rank intervals from the differences' own standard errors, with Holm's correction."""
    difference = np.subtract.outer(theta, theta)
    diagonal = np.diagonal(covariance)
    variance = np.add.outer(diagonal, diagonal) - 2 * covariance
    z = np.divide(
        difference, np.sqrt(np.maximum(variance, 1e-300)), where=variance > 1e-15, out=np.zeros_like(variance)
    )
    p = np.ones_like(z)
    upper = np.triu_indices(theta.size, 1)
    p[upper] = two_sided_p(z[upper])
    return rank_intervals(surely_above(difference, p, alpha))


def _row(counts: PairCounts, i: int, status: Status, component: int, scores: _Scores, guess: float) -> ModelRating:
    rated = status == "rated"
    wins, losses, ties = counts.wins[i].sum(), counts.wins[:, i].sum(), counts.ties[i].sum()
    return ModelRating(
        model=counts.models[i],
        status=status,
        component=component,
        rating=float(scores.rating[i]) if rated else None,
        low=float(scores.low[i]) if rated else None,
        high=float(scores.high[i]) if rated else None,
        rank_low=int(scores.rank_low[i]) if rated else None,
        rank_high=int(scores.rank_high[i]) if rated else None,
        rank_ub=int(scores.rank_ub[i]) if rated else None,
        provisional=None if rated or status == "no_votes" else guess,
        battles=float(wins + losses + ties),
        wins=float(wins),
        losses=float(losses),
        ties=float(ties),
        both_bad=float(counts.both_bad[i].sum()),
    )


def _warnings(core: Core, anchor_lost: bool) -> tuple[RatingWarning, ...]:
    found: list[RatingWarning] = []
    if core.used.ties.any() and not core.used.wins.any():
        found.append("all_ties")
    groups = np.bincount(core.component[core.used.battles.any(axis=1)])
    if (groups > 1).sum() > 1:
        found.append("several_components")
    if anchor_lost:
        found.append("anchor_not_rated")
    if not core.mask.any():
        found.append("nobody_rated")
    return tuple(found)
