"""Bradley-Terry ratings of language models from pair counts, with intervals and ranks that mean what they say.

Ratings are 1000 + (400/ln 10) theta with mean 1000 over the rated models, or shifted to an anchor. The statistics are
in `docs/method.md`; the parts are in `leaderboard.bt`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from leaderboard.bt.components import Status, statuses, strong_components
from leaderboard.bt.davidson import fit_davidson
from leaderboard.bt.likelihood import (
    NoMaximumError,
    inverse_information,
    maximum_likelihood,
    sandwich,
    score_variance,
)
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
from leaderboard.pair_counts import OUTCOMES, Outcome, PairCounts

__all__ = [
    "OUTCOMES",
    "POINTS_PER_UNIT",
    "ModelRating",
    "NoMaximumError",
    "Outcome",
    "PairCounts",
    "RatingTable",
    "Status",
    "rate",
    "win_probability",
]

SCALE: Final = 400.0
CENTRE: Final = 1000.0
POINTS_PER_UNIT: Final = SCALE / math.log(10)
"""Rating points per unit of theta: 173.7."""
REWEIGHT_FLOOR: Final = 50.0

TieModel = Literal["half", "drop", "davidson"]
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


def win_probability(rating: float, rival: float) -> float:
    """Chance that a model of `rating` beats one of `rival`, a tie as half a win: 1/(1 + 10^((rival - rating)/400))."""
    return 1 / (1 + 10 ** min((rival - rating) / SCALE, 300.0))


def rate(
    counts: PairCounts,
    *,
    ties: TieModel = "half",
    reweight: bool = False,
    anchor: tuple[str, float] | None = None,
    level: float = 0.95,
    start: Mapping[str, float] | None = None,
) -> RatingTable:
    """Rate the largest strongly connected core; list the rest with the reason and a provisional guess.

    `ties`: half a win each, dropped ("bt-decisive"), or Davidson's model. `reweight` gives every pair the weight
    1/max(n, 50), so that pairs shown often do not decide alone. `anchor` (model, rating) shifts the scale, and the
    intervals become those of the difference to the anchor. `start` is an earlier table's `start()`.
    """
    used = counts.without_ties() if ties == "drop" else counts
    weights = 1 / np.maximum(used.battles, REWEIGHT_FLOOR) if reweight else np.ones_like(used.wins)
    component = strong_components(used.points)
    status = statuses(used.battles, used.points, component)
    core = np.array([state == "rated" for state in status], dtype=np.bool_)
    theta, covariance, nu = _fit_core(used, core, weights, ties, start)
    anchored = counts.models.index(anchor[0]) if anchor and anchor[0] in counts.models else None
    if anchored is not None and not core[anchored]:
        anchored = None
    offset = CENTRE
    if anchor and anchored is not None:
        offset = anchor[1] - POINTS_PER_UNIT * float(theta[anchored])
    scores = _scores(theta, covariance, offset, anchored, level)
    guesses = provisional_strengths(weights * used.battles, weights * used.points, core, np.nan_to_num(theta))
    rows = tuple(
        _row(counts, i, status[i], int(component[i]), scores, offset + POINTS_PER_UNIT * float(guesses[i]))
        for i in range(core.size)
    )
    warnings = _warnings(used, core, component, anchor is not None and anchored is None)
    return RatingTable(
        rows,
        theta,
        covariance,
        counts.n_votes,
        anchor[0] if anchor and anchored is not None else None,
        warnings,
        nu,
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


def _fit_core(
    used: PairCounts, core: Bools, weights: Floats, ties: TieModel, start: Mapping[str, float] | None
) -> tuple[Floats, Floats, float | None]:
    """Strengths (M,) and covariance (M, M), NaN outside the core, and Davidson's nu."""
    size, at = core.size, np.ix_(core, core)
    theta, covariance, nu = np.full(size, np.nan), np.full((size, size), np.nan), None
    if not core.any():
        return theta, covariance, nu
    w, wins, tied = weights[at], used.wins[at], used.ties[at]
    names = [model for model, inside in zip(used.models, core, strict=True) if inside]
    warm = np.array([start[name] for name in names]) if start and all(name in start for name in names) else None
    if ties == "davidson" and tied.any() and wins.any():
        fit = fit_davidson(w * wins, w * tied, warm)
        theta[core], covariance[at], nu = fit.theta, fit.covariance, fit.nu
        return theta, covariance, nu
    battles = wins + wins.T + tied
    theta[core] = maximum_likelihood(w * battles, w * (wins + tied / 2), warm)
    inverse = inverse_information(battles, theta[core], w)
    covariance[at] = sandwich(inverse, score_variance(wins, tied, theta[core], w))
    return theta, covariance, nu


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


def _warnings(used: PairCounts, core: Bools, component: Ints, anchor_lost: bool) -> tuple[RatingWarning, ...]:
    found: list[RatingWarning] = []
    if used.ties.any() and not used.wins.any():
        found.append("all_ties")
    groups = np.bincount(component[used.battles.any(axis=1)])
    if (groups > 1).sum() > 1:
        found.append("several_components")
    if anchor_lost:
        found.append("anchor_not_rated")
    if not core.any():
        found.append("nobody_rated")
    return tuple(found)
