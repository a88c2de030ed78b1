"""Ratings from people's votes and from a judge's verdicts: do they rank alike, and what do both give together?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from leaderboard.agreement import Label, Verdict
from leaderboard.bradley_terry import RatingTable, rate
from leaderboard.bt.likelihood import NoMaximumError
from leaderboard.inference import Floats
from leaderboard.pair_counts import PairCounts
from leaderboard.ppi import Verdicts, combine
from leaderboard.preference import kendall_tau_b, spearman
from leaderboard.verdict_rows import model_of

ROUNDS: Final = 100
"""Resamples of the questions for the interval of a rank correlation; each is two fits of ratings."""
_SIDE: Final = {"first": 1.0, "second": 0.0, "tie": 0.5}
_CODE: Final[dict[Label, int]] = {"first": 0, "second": 1, "tie": 2}
_FEW_MODELS: Final = 3


def table_of(verdicts: Iterable[Verdict]) -> RatingTable | None:
    """Bradley–Terry of verdicts; None where there are none, or no finite ratings."""
    codes = {"first": "left", "second": "right", "tie": "tie"}
    rows = ((model_of(one.item.first), model_of(one.item.second), codes[one.label]) for one in verdicts)
    groups = [(*key, n) for key, n in Counter(rows).items() if key[0] != key[1]]
    return _rated(PairCounts.from_groups(sorted(groups))) if groups else None  # type: ignore[arg-type]


def _rated(counts: PairCounts) -> RatingTable | None:
    try:
        return rate(counts)
    except NoMaximumError:
        return None


def ratings_of(table: RatingTable | None) -> dict[str, float]:
    """Ratings by model, of those that have one."""
    return {} if table is None else {row.model: row.rating for row in table.rows if row.rating is not None}


def correlation(people: Sequence[Verdict], judge: Sequence[Verdict], rounds: int = ROUNDS) -> dict[str, Any] | None:
    """Rank correlation over the models that both can rate, with percentile intervals over resampled questions.

    Also both ratings of each model, with their intervals. None with fewer than three models.
    """
    tables = table_of(people), table_of(judge)
    rows = [{row.model: row for row in table.rows if row.rating is not None} if table else {} for table in tables]
    common = sorted(rows[0].keys() & rows[1].keys(), key=lambda name: -(rows[0][name].rating or 0.0))
    if len(common) < _FEW_MODELS:
        return None
    ours, theirs = ([side[name].rating or 0.0 for name in common] for side in rows)
    bounds = _bounds(people, judge, rounds)
    found = [
        {"model": name, "people": rows[0][name].rating, "people_low": rows[0][name].low,
         "people_high": rows[0][name].high, "judge": rows[1][name].rating, "judge_low": rows[1][name].low,
         "judge_high": rows[1][name].high}
        for name in common
    ]  # fmt: skip
    return {"n_models": len(common), "spearman": spearman(ours, theirs), "kendall": kendall_tau_b(ours, theirs),
            "spearman_bounds": bounds[0], "kendall_bounds": bounds[1], "rows": found}  # fmt: skip


def _bounds(people: Sequence[Verdict], judge: Sequence[Verdict], rounds: int) -> list[list[float] | None]:
    """95 % percentile bounds of both coefficients; None where the questions are too few or rarely rate three models."""
    questions = sorted({one.item.question for one in (*people, *judge)})
    names = sorted({model_of(side) for one in (*people, *judge) for side in (one.item.first, one.item.second)})
    if len(questions) < 2:
        return [None, None]
    sides = [_Columns.of(part, questions, names) for part in (people, judge)]
    random = np.random.default_rng(0)
    draws: list[tuple[float | None, float | None]] = []
    for weights in random.multinomial(len(questions), np.full(len(questions), 1 / len(questions)), size=rounds):
        ours, theirs = (ratings_of(_rated(side.counts(weights.astype(np.float64)))) for side in sides)
        common = sorted(ours.keys() & theirs.keys())
        if len(common) >= _FEW_MODELS:
            x, y = [ours[name] for name in common], [theirs[name] for name in common]
            draws.append((spearman(x, y), kendall_tau_b(x, y)))
    return [_percentiles([draw[place] for draw in draws], rounds) for place in (0, 1)]


def _percentiles(values: Sequence[float | None], rounds: int) -> list[float] | None:
    known = [value for value in values if value is not None]
    return [float(one) for one in np.quantile(known, [0.025, 0.975])] if len(known) > rounds / 2 else None


class _Columns:
    """Verdicts as arrays: question, first and second model, outcome."""

    def __init__(self, names: Sequence[str], columns: np.ndarray[Any, Any]) -> None:
        self.names, self.columns = names, columns

    @classmethod
    def of(cls, verdicts: Iterable[Verdict], questions: Sequence[str], names: Sequence[str]) -> _Columns:
        q = {name: i for i, name in enumerate(questions)}
        m = {name: i for i, name in enumerate(names)}
        rows = [
            (q[one.item.question], m[model_of(one.item.first)], m[model_of(one.item.second)], _CODE[one.label])
            for one in verdicts
        ]
        kept = [row for row in rows if row[1] != row[2]]
        return cls(names, np.array(kept, dtype=np.int64).reshape(len(kept), 4).T)

    def counts(self, weights: Floats) -> PairCounts:
        """The counts with every question weighted."""
        question, first, second, code = self.columns
        size, weight = len(self.names), weights[question]
        won = [np.bincount(first[code == one] * size + second[code == one], weight[code == one], size * size)
               .reshape(size, size).astype(np.float64) for one in (0, 1, 2)]  # fmt: skip
        return PairCounts(tuple(self.names), won[0] + won[1].T, won[2] + won[2].T, np.zeros((size, size)))


def combined(judge: Sequence[Verdict], people: Sequence[Verdict]) -> dict[str, Any] | None:
    """People's votes corrected by the judge's verdicts on what nobody voted on; None where one side has nothing."""
    said = {one.item: one for one in judge}
    voted = [one for one in people if one.item in said]
    seen = {one.item for one in voted}
    rest = [one for one in said.values() if one.item not in seen]
    names = sorted({model_of(answer) for one in (*voted, *rest) for answer in (one.item.first, one.item.second)})
    if len(voted) < 10 or not rest:
        return None
    place = {name: i for i, name in enumerate(names)}
    outcome = np.array([_CODE[one.label] for one in voted])
    judged = [said[one.item] for one in voted]
    try:
        found = combine(names, _scores(judged, place), outcome, _scores(rest, place))
    except NoMaximumError:
        return None
    rows = [
        {"model": row.model, "rating": row.rating, "low": row.low, "high": row.high, "status": row.status}
        for row in sorted(found.table.rows, key=lambda row: -(row.rating or -1e9))
    ]
    return {
        "rows": rows, "weight": found.weight, "width_ratio": found.width_ratio,
        "n_votes": found.n_votes, "n_verdicts": found.n_verdicts,
    }  # fmt: skip


def _scores(verdicts: Sequence[Verdict], place: dict[str, int]) -> Verdicts:
    return Verdicts(
        np.array([place[model_of(one.item.first)] for one in verdicts], dtype=np.int64),
        np.array([place[model_of(one.item.second)] for one in verdicts], dtype=np.int64),
        np.array([_SIDE[one.label] for one in verdicts]),
    )
