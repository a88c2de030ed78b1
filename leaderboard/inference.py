"""Small statistics shared by the boards, the ratings and the agreement page: tests, intervals, ranks.

Pure numpy and the standard library. Probabilities and proportions are 0..1, levels are two-sided confidence levels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_erfc = np.frompyfunc(math.erfc, 1, 1)


@dataclass(frozen=True)
class Interval:
    """An estimate between its two bounds, all in the unit of the estimate."""

    value: float
    low: float
    high: float


def normal_quantile(level: float = 0.95) -> float:
    """The z that leaves (1 - level)/2 in each tail: 1.95996 for 0.95."""
    if not 0 < level < 1:
        raise ValueError(f"confidence level must lie between 0 and 1, not {level}")
    return NormalDist().inv_cdf(0.5 + level / 2)


def two_sided_p(z: npt.ArrayLike) -> Floats:
    """P(|Z| >= |z|) of a standard normal, elementwise; NaN stays NaN."""
    scaled = np.abs(np.asarray(z, dtype=np.float64)) / math.sqrt(2)
    return np.asarray(_erfc(scaled), dtype=np.float64)


def wilson_interval(successes: float, n: float, level: float = 0.95) -> Interval | None:
    """Wilson's score interval of a proportion (Wilson 1927); None where nothing was counted."""
    if n < 0 or not 0 <= successes <= max(n, 0):
        raise ValueError(f"{successes} successes of {n} are not a proportion")
    if n == 0:
        return None
    z2 = normal_quantile(level) ** 2
    p = successes / n
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2) / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return Interval(p, max(0.0, centre - half), min(1.0, centre + half))


def mcnemar_exact(only_first: npt.ArrayLike, only_second: npt.ArrayLike) -> Floats:
    """Exact two-sided McNemar p for counts of discordant items, elementwise (McNemar 1947, binomial with p = 1/2).

    `only_first[i]` items were right for the first model alone, `only_second[i]` for the second alone.
    """
    first, second = np.broadcast_arrays(np.asarray(only_first), np.asarray(only_second))
    discordant = np.rint(first + second).astype(np.int64)
    fewer = np.rint(np.minimum(first, second)).astype(np.int64)
    if discordant.size == 0:
        return np.zeros(discordant.shape)
    if fewer.min() < 0:
        raise ValueError("counts of discordant items can't be negative")
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, discordant.max() + 1)))])
    p = np.empty(discordant.shape)
    for n in np.unique(discordant):
        here = discordant == n
        k = np.arange(n // 2 + 1)
        pmf = np.exp(log_factorial[n] - log_factorial[k] - log_factorial[n - k] - n * math.log(2))
        p[here] = np.minimum(1.0, 2 * np.cumsum(pmf))[fewer[here]]
    return p


def holm(p: npt.ArrayLike, alpha: float = 0.05) -> Bools:
    """Which hypotheses Holm's step-down procedure rejects at family-wise level alpha (Holm 1979).

    A NaN p (nothing to compare) is never rejected and not counted in the family.
    """
    flat = np.asarray(p, dtype=np.float64)
    rejected = np.zeros(flat.shape, dtype=np.bool_)
    tested = np.flatnonzero(~np.isnan(flat))
    order = tested[np.argsort(flat[tested], kind="stable")]
    steps = alpha / np.arange(order.size, 0, -1)
    fails = flat[order] > steps
    kept = int(np.argmax(fails)) if fails.any() else order.size
    rejected[order[:kept]] = True
    return rejected


def surely_above(difference: Floats, p: Floats, alpha: float = 0.05) -> Bools:
    """(M, M) matrix: is i above j beyond doubt, with Holm's correction over all pairs?

    `difference[i, j]` is i's value less j's (antisymmetric), `p[i, j]` its two-sided p (symmetric, NaN where the two
    cannot be compared).
    """
    size = difference.shape[0]
    upper = np.triu_indices(size, 1)
    decided = np.zeros((size, size), dtype=np.bool_)
    decided[upper] = holm(p[upper], alpha)
    return (decided | decided.T) & (difference > 0)


@dataclass(frozen=True)
class Ranks:
    """Rank intervals and bands of M models; 1 is best. `low[i]..high[i]` are the ranks i can hold."""

    low: Ints
    high: Ints


def rank_intervals(above: Bools) -> Ranks:
    """Ranks from an (M, M) matrix of sure orders: low = 1 + surely above me, high = M - surely below me."""
    return Ranks(low=1 + above.sum(axis=0), high=above.shape[0] - above.sum(axis=1))


def bands(values: Floats, above: Bools) -> Ints:
    """Tie groups numbered from 1: a new band begins at the first model surely below the head of the current one.

    `values` (M,) orders the models; NaN gets band 0 (not ranked).
    """
    result = np.zeros(values.size, dtype=np.int64)
    ranked = np.flatnonzero(~np.isnan(values))
    band, head = 0, -1
    for model in ranked[np.argsort(-values[ranked], kind="stable")]:
        if head < 0 or above[head, model]:
            band, head = band + 1, int(model)
        result[model] = band
    return result
