"""From ratings to a row of the multi-turn board: turns, categories, overall, failures, intervals.

Every public protocol averages in its own way, and drops, zeroes or punishes unread verdicts; both are
switches here. Missing is never zero: a mean over nothing is None, and the counts stand beside it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from judging.formats.protocols import Aggregate
from judging.formats.rows import PairJudgment

Failed = Literal["dropped", "zero", "one"]
FILL: dict[Failed, float | None] = {"dropped": None, "zero": 0.0, "one": 1.0}
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rated:
    """One judged turn; `score` is None where the verdict failed or the answer was never got."""

    question_id: str
    category: str
    turn: int
    score: float | None


@dataclass(frozen=True)
class Mean:
    """A mean with the 95 % bootstrap interval over questions. `n` ratings count in it, `failed` had no
    verdict.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    failed: int


@dataclass(frozen=True)
class MultiTurn:
    """One model's row: overall, each turn, each category, and each turn within each category."""

    overall: Mean
    turns: Mapping[int, Mean]
    categories: Mapping[str, Mean]
    cells: Mapping[tuple[str, int], Mean]
    questions: int

    @property
    def failed_share(self) -> float:
        """Share of ratings without a verdict; above 0.005 a run is invalid."""
        total = self.overall.n + self.overall.failed
        return self.overall.failed / total if total else 0.0


INVALID_ABOVE = 0.005


def is_invalid(failed: int, total: int) -> bool:
    """Whether more than 0.5 % of a run's judgments have no verdict."""
    return total > 0 and failed / total > INVALID_ABOVE


def multi_turn(
    rated: Iterable[Rated],
    aggregate: Aggregate = "judgments",
    failed: Failed = "dropped",
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> MultiTurn:
    """Means of one model under a protocol's rule.

    `judgments`: mean of all ratings (FastChat, KoMT-Bench). `turns`: mean of the two turn means (LogicKor).
    `categories`: mean of category means (Horangi). `failed` says what an unread verdict counts as.
    """
    rows = list(rated)
    questions = {name: index for index, name in enumerate(dict.fromkeys(row.question_id for row in rows))}
    cells = {key: index for index, key in enumerate(dict.fromkeys((row.category, row.turn) for row in rows))}
    sums, counts = np.zeros((len(questions), len(cells))), np.zeros((len(questions), len(cells)))
    missing = np.zeros(len(cells), dtype=int)
    for row in rows:
        place = questions[row.question_id], cells[row.category, row.turn]
        score = FILL[failed] if row.score is None else row.score
        missing[place[1]] += row.score is None
        if score is not None:
            sums[place] += score
            counts[place] += 1
    weights = _weights(len(questions), resamples, seed)
    table = _Table(weights @ sums, weights @ counts, missing)
    return _board_row(table, cells, aggregate, len(questions))


@lru_cache(maxsize=8)
def _weights(questions: int, resamples: int, seed: int) -> Floats:
    """How often each question is drawn: the plain sample first, then `resamples` draws with replacement."""
    if not questions:
        return np.ones((1, 0))
    draws = np.random.default_rng(seed).multinomial(questions, np.full(questions, 1 / questions), size=resamples)
    return np.vstack([np.ones(questions), draws])


@dataclass(frozen=True)
class _Table:
    """Sums and counts of ratings by (resample, cell); row 0 is the sample itself."""

    sums: Floats
    counts: Floats
    missing: NDArray[np.int_]

    def means(self, columns: Sequence[int]) -> Floats:
        """Mean over all ratings of these cells in every resample; NaN where there is none."""
        counts = self.counts[:, columns].sum(axis=1)
        sums = self.sums[:, columns].sum(axis=1)
        means: Floats = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
        return means

    def mean(self, columns: Sequence[int], means: Floats | None = None) -> Mean:
        values = self.means(columns) if means is None else means
        n, failed = int(self.counts[0, columns].sum()), int(self.missing[list(columns)].sum())
        drawn = values[1:][~np.isnan(values[1:])]
        if math.isnan(values[0]):
            return Mean(None, None, None, n, failed)
        if not len(drawn):
            return Mean(float(values[0]), None, None, n, failed)
        low, high = np.percentile(drawn, (2.5, 97.5))
        return Mean(float(values[0]), float(low), float(high), n, failed)


def _board_row(table: _Table, cells: Mapping[tuple[str, int], int], aggregate: Aggregate, questions: int) -> MultiTurn:
    by_turn: dict[int, list[int]] = {}
    by_category: dict[str, list[int]] = {}
    for (category, turn), column in cells.items():
        by_turn.setdefault(turn, []).append(column)
        by_category.setdefault(category, []).append(column)
    everything = list(cells.values())
    groups = {"turns": list(by_turn.values()), "categories": list(by_category.values())}.get(aggregate, [everything])
    if everything:
        overall = table.mean(everything, _mean_of_means([table.means(columns) for columns in groups]))
    else:
        overall = Mean(None, None, None, 0, 0)
    return MultiTurn(
        overall,
        {turn: table.mean(columns) for turn, columns in sorted(by_turn.items())},
        {category: table.mean(columns) for category, columns in by_category.items()},
        {key: table.mean([column]) for key, column in cells.items()},
        questions,
    )


def _mean_of_means(parts: list[Floats]) -> Floats:
    """The plain mean over the groups that have a value, per resample."""
    stacked = np.vstack(parts)
    present = ~np.isnan(stacked)
    counts = present.sum(axis=0)
    sums = np.where(present, stacked, 0.0).sum(axis=0)
    means: Floats = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means


@dataclass(frozen=True)
class AgainstBaseline:
    """One model's battles against a baseline, Arena-Hard's way.

    `score` is 100 x (weighted wins + ties / 2) / weighted battles, in percent; `elo` is
    1000 + 400 log10(p / (1 - p)), None at 0 and 100 %. `failed` games have no verdict and do not count.
    """

    score: float | None
    low: float | None
    high: float | None
    elo: float | None
    battles: int
    weighted_wins: int
    ties: int
    weighted_losses: int
    wins: int
    losses: int
    failed: int

    @property
    def weighted_battles(self) -> int:
        return self.weighted_wins + self.ties + self.weighted_losses


def against_baseline(
    judgments: Iterable[PairJudgment],
    weight: int = 3,
    *,
    published: bool = False,
    resamples: int = 1000,
    seed: int = 0,
) -> AgainstBaseline:
    """Arena-Hard's score of the right side of every pair; a `>>` verdict counts `weight` times.

    The interval is a 95 % bootstrap over questions, both games of a question together. `published` takes the
    labels that the file's own program counted instead of our reading.
    """
    by_question: dict[str, list[float]] = {}
    worth = {"right": 1.0, "tie": 0.5, "left": 0.0}
    tally: Counter[str] = Counter()
    for judgment in judgments:
        row = by_question.setdefault(judgment.question_id, [0.0, 0.0])
        for game in judgment.games:
            label = game.published if published else game.label
            winner = game.published_winner if published else game.winner
            if label is None or winner is None:
                tally["failed"] += 1
                continue
            times = weight if ">>" in label else 1
            row[0] += worth[winner] * times
            row[1] += times
            tally[winner] += 1
            tally[f"weighted {winner}"] += times
    totals = _weights(len(by_question), resamples, seed) @ np.array(list(by_question.values())).reshape(-1, 2)
    shares = _Table(totals[:, :1], totals[:, 1:], np.zeros(1, dtype=int)).mean([0])
    return AgainstBaseline(
        score=_percent(shares.value),
        low=_percent(shares.low),
        high=_percent(shares.high),
        elo=_elo(shares.value),
        battles=tally["right"] + tally["tie"] + tally["left"],
        weighted_wins=tally["weighted right"],
        ties=tally["tie"],
        weighted_losses=tally["weighted left"],
        wins=tally["right"],
        losses=tally["left"],
        failed=tally["failed"],
    )


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _elo(share: float | None) -> float | None:
    return None if share is None or share <= 0 or share >= 1 else 1000 + 400 * math.log10(share / (1 - share))
