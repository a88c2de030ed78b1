"""Style control: what a model is worth once length and Markdown are held equal.

The logit of a vote is theta_left - theta_right + x . beta with x the relative difference of length, headers, lists and
bold (Li et al. 2024, the Chatbot Arena's style control).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from leaderboard.bradley_terry import PairCounts, RatingTable
from leaderboard.bt.likelihood import maximum_likelihood
from leaderboard.bt.rows import Ridge, RowFit, Rows, fit_rows
from leaderboard.bt.table import Core, tabulate
from leaderboard.inference import Floats, normal_quantile

FEATURES: Final = ("length", "headers", "lists", "bold")
_SCORE: Final = np.array([1.0, 0.0, 0.5, 0.5])

Definition = Literal["symmetric", "fastchat", "arena-rank"]
FASTCHAT_RIDGE: Final = Ridge(0.5 / math.log(10) ** 2, 0.5)
"""FastChat's L2 penalty of 0.5 on ratings in units of 10^(1/400) and on coefficients."""


def style_features(left: npt.ArrayLike, right: npt.ArrayLike, definition: Definition = "symmetric") -> Floats:
    """Covariates (k, N) from counts (k, N) of both answers.

    "symmetric": (a - b)/(a + b + 1) over its root mean square, so that swapping sides only turns the sign;
    "fastchat": the same z-scored with its mean taken out; "arena-rank": (a - b)/(a + b), unscaled, 0 where both are 0.
    A feature that never differs is all zeros.
    """
    rows = zip(np.asarray(left), np.asarray(right), strict=True)
    return np.array([_relative_difference(a, b, definition) for a, b in rows])


def _relative_difference(a: Floats, b: Floats, definition: Definition) -> Floats:
    total = np.add(a, b, dtype=np.float64)
    if definition == "arena-rank":
        total[total == 0] = 1.0
    else:
        total += 1.0
    ratio: Floats = np.subtract(a, b, dtype=np.float64)
    ratio /= total
    if definition == "arena-rank":
        return ratio
    if definition == "fastchat":
        ratio -= ratio.mean()
    spread = math.sqrt(float(ratio @ ratio) / max(ratio.size, 1))
    if spread > 0:
        ratio /= spread
    return ratio


@dataclass(frozen=True)
class Coefficient:
    """Log-odds for one unit of a feature with its bounds; None where the feature never differs."""

    feature: str
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class StyleTable:
    """Ratings with style held equal, and what each feature of style is worth to voters."""

    table: RatingTable
    coefficients: tuple[Coefficient, ...]


def rate_with_style(
    models: Sequence[str],
    left: npt.ArrayLike,
    right: npt.ArrayLike,
    outcome: npt.ArrayLike,
    features: Floats,
    *,
    names: Sequence[str] = FEATURES,
    ridge: Ridge = Ridge(),  # noqa: B008  frozen
    anchor: tuple[str, float] | None = None,
    level: float = 0.95,
) -> StyleTable:
    """Ratings from N votes with covariates (k, N); the votes as for `PairCounts.from_votes`.

    Only the core that Bradley-Terry can rate is rated. Raises NoMaximumError where a covariate decides everything.
    """
    a, b, code = np.asarray(left), np.asarray(right), np.asarray(outcome)
    counts = PairCounts.from_votes(models, a, b, code)
    core = Core.of(counts)
    size, at = core.mask.size, np.ix_(core.mask, core.mask)
    theta, covariance = np.full(size, np.nan), np.full((size, size), np.nan)
    active = np.flatnonzero(features.any(axis=1))
    fit: RowFit | None = None
    if core.mask.any():
        if not core.mask.all():
            kept = core.mask[a] & core.mask[b]
            number = np.cumsum(core.mask) - 1
            a, b, code, features = number[a[kept]], number[b[kept]], code[kept], features[:, kept]
        inside = int(core.mask.sum())
        rows = Rows.of(inside, a, b, _SCORE[code], features if active.size == len(features) else features[active])
        start = maximum_likelihood(counts.battles[at], counts.points[at])
        fit = fit_rows(rows, start, ridge)
        theta[core.mask] = fit.theta
        covariance[at] = fit.covariance[:inside, :inside]
    table = tabulate(counts, core, theta, covariance, anchor=anchor, level=level)
    return StyleTable(table, _coefficients(fit, active.tolist(), names, level))


def _coefficients(fit: RowFit | None, active: list[int], names: Sequence[str], level: float) -> tuple[Coefficient, ...]:
    found = []
    for index, name in enumerate(names):
        if fit is None or index not in active:
            found.append(Coefficient(name, None, None, None))
            continue
        place = active.index(index)
        value = float(fit.beta[place])
        variance = float(fit.covariance[fit.theta.size + place, fit.theta.size + place])
        half = normal_quantile(level) * math.sqrt(max(variance, 0.0))
        found.append(Coefficient(name, value, value - half, value + half))
    return tuple(found)
