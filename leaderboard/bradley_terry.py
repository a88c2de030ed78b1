"""Bradley-Terry ratings of language models from pair counts, with intervals and ranks that mean what they say.

Ratings are 1000 + (400/ln 10) theta with mean 1000 over the rated models, or shifted to an anchor. The statistics are
in `docs/method.md`; the parts are in `leaderboard.bt`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import numpy as np

from leaderboard.bt.davidson import fit_davidson
from leaderboard.bt.likelihood import NoMaximumError, fit, sandwich
from leaderboard.bt.table import POINTS_PER_UNIT, SCALE, Core, ModelRating, RatingTable, RatingWarning, tabulate
from leaderboard.inference import Floats
from leaderboard.pair_counts import OUTCOMES, Outcome, PairCounts

__all__ = [
    "OUTCOMES",
    "POINTS_PER_UNIT",
    "ModelRating",
    "NoMaximumError",
    "Outcome",
    "PairCounts",
    "RatingTable",
    "RatingWarning",
    "TieModel",
    "rate",
    "win_probability",
]

REWEIGHT_FLOOR: Final = 50.0

TieModel = Literal["half", "drop", "davidson"]


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
    core = Core.of(used)
    theta, covariance, nu = _fit_core(core, weights, ties, start)
    return tabulate(counts, core, theta, covariance, anchor=anchor, level=level, weights=weights, nu=nu)


def _fit_core(
    core: Core, weights: Floats, ties: TieModel, start: Mapping[str, float] | None
) -> tuple[Floats, Floats, float | None]:
    """Strengths (M,) and covariance (M, M), NaN outside the core, and Davidson's nu."""
    size, inside, at = core.mask.size, core.mask, np.ix_(core.mask, core.mask)
    theta, covariance, nu = np.full(size, np.nan), np.full((size, size), np.nan), None
    if not inside.any():
        return theta, covariance, nu
    w, wins, tied = weights[at], core.used.wins[at], core.used.ties[at]
    names = core.names
    warm = np.array([start[name] for name in names]) if start and all(name in start for name in names) else None
    if ties == "davidson" and tied.any() and wins.any():
        drawn = fit_davidson(w * wins, w * tied, warm)
        theta[inside], covariance[at], nu = drawn.theta, drawn.covariance, drawn.nu
        return theta, covariance, nu
    found = fit(wins, tied, w, warm)
    theta[inside], covariance[at] = found.theta, sandwich(found.inverse, found.score)
    return theta, covariance, nu
