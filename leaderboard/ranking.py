"""Who is surely above whom on a board, from the items the models share."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from leaderboard.aggregate import Standings, standings, standings_from_summaries
from runners.models import TaskResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leaderboard.boards import Board

# Item scores in memory are bounded: beyond this many cells the ranks come from standard errors alone, which is wider.
MAX_CELLS = 60_000_000
_CACHE_BYTES = 64 * 1024**2
_cache: OrderedDict[int, NDArray[np.float32]] = OrderedDict()


@dataclass(frozen=True)
class Ranks:
    """Per row of the board rank_low, rank_high and tie band, 0 where not ranked; and how many adjacent pairs of
    ranked rows are separable, of how many."""

    low: list[int]
    high: list[int]
    band: list[int]
    separable: tuple[int, int]


def ranks(board: Board) -> Ranks:
    """Rank intervals from paired differences on shared items with Holm's correction (docs/method.md)."""
    rows = board.rows
    complete = [index for index, row in enumerate(rows) if row.average is not None]
    if not complete:
        return Ranks([0] * len(rows), [0] * len(rows), [0] * len(rows), (0, 0))
    table = _standings(board, complete)
    low, high, band = ([0] * len(rows) for _ in range(3))
    for place, index in enumerate(complete):
        low[index], high[index], band[index] = (
            int(table.rank_low[place]),
            int(table.rank_high[place]),
            int(table.band[place]),
        )
    order = np.argsort(-table.average)
    apart = sum(bool(table.above[a, b]) for a, b in pairwise(order))
    return Ranks(low, high, band, (apart, max(len(complete) - 1, 0)))


def _standings(board: Board, complete: list[int]) -> Standings:
    """From shared items where every result has them, else from averages and standard errors."""
    headline = [column.task_id for column in board.columns if column.in_headline]
    rows = [board.rows[index] for index in complete]
    cells = sum(cell.n_docs for row in rows for cell in row.cells.values())
    if cells <= MAX_CELLS:
        scores = item_scores([row.cells[task_id].result_id for row in rows for task_id in headline])
        tasks = []
        for task_id in headline:
            arrays = [scores.get(row.cells[task_id].result_id) for row in rows]
            if any(array is None or array.size != arrays[0].size for array in arrays):  # type: ignore[union-attr]
                break
            tasks.append(np.stack(arrays).astype(np.float64))  # type: ignore[arg-type]
        if tasks and len(tasks) == len(headline):
            return standings(tasks)
    average = np.array([row.average for row in rows], dtype=np.float64)
    stderr = np.array([np.nan if row.stderr is None else row.stderr for row in rows])
    return standings_from_summaries(average, stderr)


def item_scores(result_ids: list[int]) -> dict[int, NDArray[np.float32]]:
    """Per result the (n_docs,) item scores in item order, NaN where a request failed; results without are left out."""
    missing = [pk for pk in result_ids if pk not in _cache]
    for start in range(0, len(missing), 500):
        packed = TaskResult.objects.filter(pk__in=missing[start : start + 500]).values_list("pk", "item_scores")
        for pk, blob in packed:
            if blob:
                _cache[pk] = np.frombuffer(zlib.decompress(bytes(blob)), dtype="<f4")
    found = {pk: _cache[pk] for pk in result_ids if pk in _cache}
    while sum(array.nbytes for array in _cache.values()) > _CACHE_BYTES and len(_cache) > 1:
        _cache.popitem(last=False)
    return found
