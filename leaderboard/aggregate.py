"""Board arithmetic: averages with standard errors, paired comparisons on shared items, rank intervals, tie bands.

Item scores are (M models, n items) arrays in the task's own unit, NaN where an item has no score (a failed request);
a wrong or missing answer is a score of 0, not NaN. Nothing here turns a missing value into a number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leaderboard.inference import (
    Bools,
    Floats,
    Interval,
    Ints,
    bands,
    mcnemar_exact,
    normal_quantile,
    rank_intervals,
    surely_above,
    two_sided_p,
)


@dataclass(frozen=True)
class Cell:
    """One task's value with its standard error, both in the task's unit; None where nothing was scored."""

    value: float | None
    stderr: float | None = None


@dataclass(frozen=True)
class Average:
    """A macro average over tasks.

    `value` is None unless every task has a value, since a mean over fewer tasks is another quantity; `partial` is the
    mean over those present, to be shown but not ranked. `stderr` belongs to `value` and is None where any task's is.
    """

    value: float | None
    stderr: float | None
    partial: float | None
    n_present: int
    n_tasks: int


def macro_average(cells: Sequence[Cell]) -> Average:
    """Unweighted mean over tasks; standard error sqrt(sum of squares)/T, the tasks being independent samples."""
    present = [cell for cell in cells if cell.value is not None]
    if not present:
        return Average(None, None, None, 0, len(cells))
    partial = math.fsum(cell.value for cell in present if cell.value is not None) / len(present)
    if len(present) < len(cells):
        return Average(None, None, partial, len(present), len(cells))
    errors = [cell.stderr for cell in cells if cell.stderr is not None]
    stderr = math.hypot(*errors) / len(cells) if len(errors) == len(cells) else None
    return Average(partial, stderr, partial, len(cells), len(cells))


def item_mean(scores: Floats) -> Cell:
    """Mean of one model's item scores (n,) and its standard error s/sqrt(n); NaN items are left out."""
    scored = scores[~np.isnan(scores)]
    if scored.size == 0:
        return Cell(None, None)
    stderr = float(scored.std(ddof=1)) / math.sqrt(scored.size) if scored.size > 1 else None
    return Cell(float(scored.mean()), stderr)


def chance_normalised(value: float | None, chance: float, *, floor: bool = False) -> float | None:
    """100 (s - c)/(1 - c): 0 is guessing, 100 is perfect; below chance is negative unless `floor`."""
    if not 0 <= chance < 1:
        raise ValueError(f"chance level must be at least 0 and below 1, not {chance}")
    if value is None:
        return None
    normalised = 100 * (value - chance) / (1 - chance)
    return max(0.0, normalised) if floor else normalised


def macro_f1_items(predicted: Sequence[object], target: Sequence[object]) -> Floats:
    """Per-item values whose mean is the macro F1 over the target's classes (infinitesimal jackknife).

    With them a macro F1 gets its standard error (`item_mean`), its paired tests and its place in `standings` like any
    mean: F_c = 2 tp/(a + b) has the influence (2 [hit] - F_c ([predicted c] + [target c]))/(a + b).
    """
    if len(predicted) != len(target) or not target:
        raise ValueError(f"{len(predicted)} predictions for {len(target)} targets")
    classes = sorted(set(target), key=repr)
    values = np.zeros(len(target))
    for label in classes:
        said = np.array([answer == label for answer in predicted], dtype=np.float64)
        true = np.array([answer == label for answer in target], dtype=np.float64)
        mass = said.mean() + true.mean()
        f1 = 2 * (said * true).mean() / mass
        values += f1 + (2 * said * true - f1 * (said + true)) / mass
    return values / len(classes)


@dataclass(frozen=True)
class PairedDifference:
    """First model less second on the items both were scored on.

    `test` says where `p` comes from: "mcnemar" (exact; all scores 0 or 1), "normal" (paired z) or "none" (fewer than
    two shared items, where p and the interval are None).
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n_shared: int
    n_first_better: int
    n_second_better: int
    test: str


def paired_difference(first: Floats, second: Floats, level: float = 0.95) -> PairedDifference:
    """Compare two models on shared items; `first` and `second` are (n,) with NaN where not scored."""
    shared = ~(np.isnan(first) | np.isnan(second))
    a, b = first[shared], second[shared]
    better, worse = int((a > b).sum()), int((a < b).sum())
    if a.size < 2:
        value = float(a[0] - b[0]) if a.size else None
        return PairedDifference(value, None, None, None, a.size, better, worse, "none")
    gap = a - b
    stderr = float(gap.std(ddof=1)) / math.sqrt(gap.size)
    half = normal_quantile(level) * stderr
    mean = float(gap.mean())
    if _is_binary(a) and _is_binary(b):
        p, test = float(mcnemar_exact(better, worse)), "mcnemar"
    else:
        p, test = float(_normal_p(np.array(mean), np.array(stderr), np.array(gap.size))), "normal"
    return PairedDifference(mean, mean - half, mean + half, p, a.size, better, worse, test)


@dataclass(frozen=True)
class Standings:
    """M models ranked on shared items of T tasks.

    average, stderr (M,): macro mean over tasks and its standard error, NaN where a task is missing; difference and p
    (M, M): paired macro difference (row less column) and its two-sided p, NaN where two models lack a shared task;
    above (M, M): surely above after Holm; rank_low, rank_high, band (M,): 0 where the model is not ranked.
    """

    average: Floats
    stderr: Floats
    difference: Floats
    p: Floats
    above: Bools
    rank_low: Ints
    rank_high: Ints
    band: Ints


def standings(tasks: Sequence[Floats], alpha: float = 0.05) -> Standings:
    """Rank M models on T tasks of item scores, each (M, n_t): matrix products only, seconds for 500 x thousands.

    One task of 0/1 scores is tested by exact McNemar, everything else by the paired normal test of the macro
    difference; no p is smaller than 2^(1 - m) with m discordant 0/1 items. A model without a score on every task is
    not ranked.
    """
    if not tasks or len({task.shape[0] for task in tasks}) != 1:
        raise ValueError("standings need at least one task, each with one row per model")
    parts = [_paired_moments(task) for task in tasks]
    difference = np.mean([part.mean for part in parts], axis=0)
    stderr = np.sqrt(np.sum([part.variance for part in parts], axis=0)) / len(tasks)
    n_shared = np.sum([part.n for part in parts], axis=0)
    p = _normal_p(difference, stderr, n_shared)
    if all(part.binary for part in parts):
        discordant = np.sum([part.squares for part in parts], axis=0)
        p = np.maximum(p, np.minimum(1.0, np.exp2(1 - np.rint(discordant))))
        if len(parts) == 1:
            p = _mcnemar_matrix(parts[0])
    p = np.where(np.isnan(difference), np.nan, p)
    average, error = _macro_means(tasks)
    return _ranked(average, error, difference, p, alpha)


def standings_from_summaries(average: Floats, stderr: Floats, alpha: float = 0.05) -> Standings:
    """Ranks from averages and standard errors alone, as if unpaired: for runs imported without items.

    Wider than `standings`, because the items the models share are not taken into account. NaN is not ranked.
    """
    difference = average[:, None] - average[None, :]
    error = np.hypot(stderr[:, None], stderr[None, :])
    p = np.where(error > 0, two_sided_p(difference / np.where(error > 0, error, 1.0)), np.nan)
    return _ranked(average, stderr, difference, p, alpha)


def bootstrap_interval(
    tasks: Sequence[Floats], rounds: int = 1000, level: float = 0.95, seed: int = 0
) -> list[Interval | None]:
    """Percentile interval of every model's macro average, questions resampled within each task (Efron 1979).

    `tasks` as for `standings`; models share the resampled questions, memory is rounds x n_t. None where a model lacks
    a task.
    """
    random = np.random.default_rng(seed)
    draws = np.zeros((rounds, tasks[0].shape[0]))
    for task in tasks:
        n = task.shape[1]
        weights = random.multinomial(n, np.full(n, 1 / n), size=rounds).astype(np.float64)
        known = (~np.isnan(task)).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            draws += (weights @ np.nan_to_num(task).T) / (weights @ known.T)
    draws /= len(tasks)
    average, _ = _macro_means(tasks)
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.nanquantile(draws[:, ~np.isnan(average)], tails, axis=0)
    bounds = iter(zip(low, high, strict=True))
    return [None if np.isnan(v) else Interval(float(v), *(float(b) for b in next(bounds))) for v in average]


@dataclass(frozen=True)
class _Moments:
    """(M, M) mean and variance-of-the-mean of paired item differences, their sum of squares and shared items."""

    mean: Floats
    variance: Floats
    squares: Floats
    n: Floats
    binary: bool


def _paired_moments(scores: Floats) -> _Moments:
    known = ~np.isnan(scores)
    binary = _is_binary(scores[known])
    # Counts below 2^24 are exact in float32, which halves the time of the products.
    single = binary and scores.shape[1] < 2**24
    kind: np.dtype[np.floating[Any]] = np.dtype(np.float32 if single else np.float64)
    x, k = np.nan_to_num(scores).astype(kind), known.astype(kind)
    n = (k @ k.T).astype(np.float64)
    own = (x @ k.T).astype(np.float64)
    own_squares = own if binary else ((x * x) @ k.T).astype(np.float64)
    squares = own_squares + own_squares.T - 2 * (x @ x.T).astype(np.float64)
    squares = np.maximum(squares, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (own - own.T) / n
        variance = np.maximum(squares / n - mean**2, 0.0) / (n - 1)
    incomparable = n < 2
    mean[incomparable] = variance[incomparable] = np.nan
    return _Moments(mean, variance, squares, n, binary)


def _normal_p(difference: Floats, stderr: Floats, n: Floats) -> Floats:
    """Two-sided paired normal p; where all n differences are equal and not 0, the sign test's 2^(1 - n)."""
    constant = ~(stderr > 1e-12)
    z = difference / np.where(constant, 1.0, stderr)
    sure = np.where(np.abs(difference) > 1e-12, np.exp2(1.0 - n), 1.0)
    return np.where(constant, sure, two_sided_p(z))


def _mcnemar_matrix(part: _Moments) -> Floats:
    gap = np.nan_to_num(part.mean) * part.n
    return mcnemar_exact((part.squares + gap) / 2, (part.squares - gap) / 2)


def _macro_means(tasks: Sequence[Floats]) -> tuple[Floats, Floats]:
    means, variances = [], []
    for task in tasks:
        n = (~np.isnan(task)).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.nansum(task, axis=1) / n
            spread = np.nansum((task - mean[:, None]) ** 2, axis=1) / (n - 1)
            variances.append(spread / n)
        means.append(mean)
    return np.mean(means, axis=0), np.sqrt(np.sum(variances, axis=0)) / len(tasks)


def _ranked(average: Floats, stderr: Floats, difference: Floats, p: Floats, alpha: float) -> Standings:
    ranked = ~np.isnan(average)
    pairs = np.ix_(ranked, ranked)
    above = np.zeros(difference.shape, dtype=np.bool_)
    above[pairs] = surely_above(difference[pairs], p[pairs], alpha)
    ranks = rank_intervals(above[pairs])
    low, high = np.zeros(average.size, dtype=np.int64), np.zeros(average.size, dtype=np.int64)
    low[ranked], high[ranked] = ranks.low, ranks.high
    return Standings(average, stderr, difference, p, above, low, high, bands(average, above))


def _is_binary(scores: Floats) -> bool:
    return bool(((scores == 0) | (scores == 1)).all())
