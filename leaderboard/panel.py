"""Two or three judges on the same answers: their vote, and how far they agree, with intervals over questions.

Scores: the vote is the median of three and the mean of two; agreement is Cohen's kappa with squared weights
(Cohen 1968) and Krippendorff's alpha for interval data. Pairs: the vote is what more than half of the judges
say; agreement is Cohen's kappa and nominal alpha (`leaderboard.agreement`). Questions, not answers, were sampled, so
the intervals resample questions. No Django.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, median

import numpy as np

from leaderboard.agreement import cohen_kappa, krippendorff_alpha
from leaderboard.inference import Floats, Interval

ROUNDS = 1000
WIN, TIE, LOSS = 0, 1, 2
Statistic = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Agreed:
    """Kappa of each pair of judges, by their places, and alpha of them all; None where it is undefined."""

    kappas: dict[tuple[int, int], Interval | None]
    alpha: Interval | None
    n: int
    questions: int


def score_vote(scores: Sequence[float]) -> float:
    """The vote of judges that give scores: the median of three, the mean of two."""
    return median(scores) if len(scores) > 2 else fmean(scores)


def majority(codes: Sequence[int]) -> int | None:
    """The outcome that more than half of the judges say; None where there is none."""
    (code, n), *_ = Counter(codes).most_common(1)
    return code if 2 * n > len(codes) else None


def scores_agree(questions: Sequence[object], scores: Floats) -> Agreed:
    """Agreement of judges (columns) on the same turns (rows of `scores`), rows of one question together."""
    place, size = _places(questions)

    def sums(columns: Sequence[Floats]) -> Floats:
        table = np.zeros((size, len(columns)))
        for number, column in enumerate(columns):
            np.add.at(table[:, number], place, column)
        return table

    kappas: dict[tuple[int, int], Interval | None] = {}
    for one, other in combinations(range(scores.shape[1]), 2):
        a, b = scores[:, one], scores[:, other]
        kappas[one, other] = resampled(_squared_kappa, sums([np.ones_like(a), a, b, a * a, b * b, (a - b) ** 2]))
    apart = sum(((scores[:, i] - scores[:, j]) ** 2 for i, j in kappas), np.zeros(len(scores)))
    judges = scores.shape[1]
    pooled = sums([np.full(len(scores), judges), scores.sum(axis=1), (scores**2).sum(axis=1), apart])
    alpha = resampled(lambda table: _interval_alpha(table, judges), pooled)
    return Agreed(kappas, alpha, len(scores), size)


def pairs_agree(questions: Sequence[object], codes: Sequence[Sequence[int]]) -> Agreed:
    """Agreement of judges on who won: one code (WIN, TIE, LOSS of the first answer) per judge in each row."""
    place, size = _places(questions)
    judges = len(codes[0]) if codes else 0
    kappas: dict[tuple[int, int], Interval | None] = {}
    coincidences = np.zeros((size, 3, 3))
    for one, other in combinations(range(judges), 2):
        table = np.zeros((size, 3, 3))
        for q, row in zip(place, codes, strict=True):
            table[q, row[one], row[other]] += 1
        kappas[one, other] = resampled(_of_tables(cohen_kappa), table.reshape(size, 9))
        coincidences += (table + table.transpose(0, 2, 1)) / (judges - 1)
    alpha = resampled(_of_tables(krippendorff_alpha), coincidences.reshape(size, 9))
    return Agreed(kappas, alpha, len(codes), size)


def resampled(statistic: Statistic, sums: Floats, seed: int = 0) -> Interval | None:
    """A statistic of summed rows (Q, k) with its percentile interval over resampled rows; None where undefined."""
    size = len(sums)
    if size < 2:
        return None
    value = float(statistic(sums.sum(axis=0)))
    if math.isnan(value):
        return None
    draws = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=ROUNDS)
    low, high = np.nanquantile(statistic(draws @ sums), [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _places(questions: Sequence[object]) -> tuple[list[int], int]:
    known = {name: index for index, name in enumerate(dict.fromkeys(questions))}
    return [known[name] for name in questions], len(known)


def _of_tables(statistic: Statistic) -> Statistic:
    return lambda table: statistic(table.reshape(*table.shape[:-1], 3, 3))


def _squared_kappa(table: Floats) -> Floats:
    """1 − mean squared difference / the one expected if the two judges scored independently; NaN without spread."""
    n, a, b, aa, bb, apart = np.moveaxis(table, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_chance = aa / n + bb / n - 2 * (a / n) * (b / n)
        return np.asarray(np.where(by_chance > 1e-12, 1 - apart / n / by_chance, np.nan))


def _interval_alpha(table: Floats, judges: int) -> Floats:
    """1 − observed / expected disagreement, both mean squared differences of two ratings; NaN without spread."""
    values, total, squares, apart = np.moveaxis(table, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = apart / (values / judges) / (judges * (judges - 1) / 2)
        by_chance = 2 * (values * squares - total**2) / (values * (values - 1))
        return np.asarray(np.where(by_chance > 1e-12, 1 - observed / by_chance, np.nan))
