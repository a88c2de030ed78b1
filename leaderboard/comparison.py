"""Two to four models side by side: per task what each has and by how much they differ on the items they share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from django.db.models import Q
from numpy.typing import NDArray

from leaderboard.aggregate import PairedDifference, paired_difference
from leaderboard.boards import Board, Cell, Column, Row
from leaderboard.inference import normal_quantile, two_sided_p
from leaderboard.ranking import item_scores
from leaderboard.sample_pages import Outcome, outcome
from runners.models import Sample, Task

MOST = 4
ITEMS = 20
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """Another model less the first, in shares. None where the two share no scored items of this task."""

    difference: float
    low: float | None
    high: float | None
    n_shared: int
    p: float | None

    @property
    def is_sure(self) -> bool:
        """Whether the 95 % interval leaves 0 out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Entry:
    """One model's place in a line; the first model has no difference."""

    run_id: int
    cell: Cell | None
    difference: Difference | None


@dataclass(frozen=True)
class Line:
    """One task with an entry per model."""

    column: Column
    entries: list[Entry]


@dataclass(frozen=True)
class Average:
    """One model's average with its difference to the first model's."""

    row: Row
    difference: Difference | None


@dataclass(frozen=True)
class Answer:
    """One model's answer to an item."""

    run_id: int
    sample: Sample
    outcome: Outcome


@dataclass(frozen=True)
class ItemLine:
    """One item that the models answered most differently; answers in the order of the models."""

    column: Column
    answers: list[Answer]


@dataclass(frozen=True)
class Comparison:
    """The first row is what the others are held against."""

    board: Board
    rows: list[Row]
    lines: list[Line]
    averages: list[Average]
    items: list[ItemLine] = field(default_factory=list)


def choose(board: Board, asked: Sequence[str]) -> tuple[list[Row], list[str]]:
    """The board's rows for the models or revisions asked for, MOST at most, and the names that stand on none.

    A model with several revisions is represented by its best one.
    """
    rows: list[Row] = []
    unknown = []
    for name in dict.fromkeys(asked):
        row = next((row for row in board.rows if name in (row.revision, row.model.slug)), None)
        if row is None:
            unknown.append(name)
        elif row not in rows:
            rows.append(row)
    return rows[:MOST], unknown


def compare(board: Board, rows: list[Row]) -> Comparison:
    """The comparison of two to four rows of a board. Three queries at most."""
    columns = [column for column in board.columns if any(column.task_id in row.cells for row in rows)]
    scores = item_scores([cell.result_id for row in rows for cell in row.cells.values()])
    table = {column.task_id: [_scores(scores, row.cells.get(column.task_id)) for row in rows] for column in columns}
    lines = [_line(column, rows, table[column.task_id]) for column in columns]
    return Comparison(board, rows, lines, _averages(board, rows, lines), _items(columns, rows, table))


def _scores(known: dict[int, NDArray[np.float32]], cell: Cell | None) -> Scores | None:
    array = known.get(cell.result_id) if cell is not None else None
    return None if array is None else array.astype(np.float64)


def _line(column: Column, rows: list[Row], scores: list[Scores | None]) -> Line:
    differences = [None, *(_difference(other, scores[0]) for other in scores[1:])]
    return Line(
        column,
        [
            Entry(row.run_id, row.cells.get(column.task_id), difference)
            for row, difference in zip(rows, differences, strict=True)
        ],
    )


def _difference(other: Scores | None, first: Scores | None) -> Difference | None:
    """Items are matched by their place, so both must have answered the same number of them."""
    if other is None or first is None or other.size != first.size:
        return None
    found: PairedDifference = paired_difference(other, first)
    if found.difference is None:
        return None
    return Difference(found.difference, found.low, found.high, found.n_shared, found.p)


def _averages(board: Board, rows: list[Row], lines: list[Line]) -> list[Average]:
    """Averages with their differences: the mean over headline tasks, whose errors add as those of independent sets."""
    headline = [line for line in lines if line.column.in_headline]
    whole = len(headline) == board.n_headline
    found = [Average(rows[0], None)]
    for place, row in enumerate(rows[1:], start=1):
        parts = [line.entries[place].difference for line in headline]
        found.append(Average(row, _mean(parts) if whole else None))
    return found


def _mean(parts: list[Difference | None]) -> Difference | None:
    """The mean of differences on independent sets; None where one of them or its error is not known."""
    known = [part for part in parts if part is not None]
    halves = [(part.high - part.low) / 2 for part in known if part.low is not None and part.high is not None]
    if not known or len(halves) < len(parts):
        return None
    mean = math.fsum(part.difference for part in known) / len(known)
    half = math.hypot(*halves) / len(known)
    p = float(two_sided_p(mean / half * normal_quantile())) if half > 0 else None
    return Difference(mean, mean - half, mean + half, sum(part.n_shared for part in known), p)


def _items(columns: list[Column], rows: list[Row], table: dict[int, list[Scores | None]]) -> list[ItemLine]:
    """Up to ITEMS items on which the first model is furthest from the mean of the others, task by task in turn.

    Nothing of a private benchmark is listed.
    """
    private = set(
        Task.objects.filter(pk__in=[c.task_id for c in columns], benchmark__is_private=True).values_list(
            "pk", flat=True
        )
    )
    wanted: list[tuple[float, int, Column]] = []
    for column in columns:
        arrays = [array for array in table[column.task_id] if array is not None]
        if column.task_id in private or len(arrays) < len(rows) or len({array.size for array in arrays}) != 1:
            continue
        gap = np.nan_to_num(np.abs(arrays[0] - np.mean(arrays[1:], axis=0)))
        best = np.argsort(-gap, kind="stable")[:ITEMS]
        # The n-th item of each task before the n+1-th of any, so that no task crowds the others out.
        wanted += [(-gap[at] + nth * 1e-6, int(at), column) for nth, at in enumerate(best) if gap[at] > 0]
    wanted.sort(key=lambda entry: (entry[0], entry[2].task_id))
    return _with_samples([(at, column) for _gap, at, column in wanted[:ITEMS]], rows)


def _with_samples(chosen: list[tuple[int, Column]], rows: list[Row]) -> list[ItemLine]:
    """The samples of the items; an item whose models were asked another question at that place is left out."""
    condition = Q()
    for at, column in chosen:
        condition |= Q(doc_id=at, result__in=[row.cells[column.task_id].result_id for row in rows])
    if not chosen:
        return []
    found = {(sample.result_id, sample.doc_id): sample for sample in Sample.objects.filter(condition)}
    lines = []
    for at, column in chosen:
        samples = [found.get((row.cells[column.task_id].result_id, at)) for row in rows]
        answers = [
            Answer(row.run_id, sample, outcome(sample))
            for row, sample in zip(rows, samples, strict=True)
            if sample is not None
        ]
        if len(answers) == len(rows) and len({answer.sample.item_id for answer in answers}) == 1:
            lines.append(ItemLine(column, answers))
    return lines
