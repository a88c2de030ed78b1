"""Tables that leave the site: CSV that a spreadsheet opens as it was meant, and what no cell may do there.

A text that a spreadsheet would take for a formula gets an apostrophe (OWASP, CSV injection); numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from leaderboard.board_html import Z
from leaderboard.board_views import Choice
from leaderboard.boards import Board, Cell, Row
from runners.models.benchmarks import in_language

BOM = "\ufeff"
_STARTS = "=+-@\t\r\n＝＋－＠"
_BLANKS = " \u00a0\u3000\u200b\ufeff"


def safe(value: Any) -> Any:
    """A cell for a spreadsheet: a text that starts like a formula, also after blanks, gets a leading apostrophe."""
    if not isinstance(value, str):
        return value
    # Half of a surrogate pair cannot be written as UTF-8.
    text = value.encode("utf-8", errors="replace").decode()
    start = text.lstrip(_BLANKS)[:1]
    return f"'{text}" if start and start in _STARTS else text


def csv_line(cells: Sequence[Any]) -> str:
    """One line of CSV (RFC 4180), every text of it safe."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([safe(cell) for cell in cells])
    return buffer.getvalue()


@dataclass(frozen=True)
class Table:
    """A heading and rows of texts, numbers and None."""

    head: list[str]
    rows: list[list[Any]]

    def csv(self) -> bytes:
        """UTF-8 with the mark by which Excel knows it."""
        lines: Iterable[Sequence[Any]] = [self.head, *self.rows]
        return (BOM + "".join(csv_line(line) for line in lines)).encode()


def board_table(board: Board, choice: Choice) -> Table:
    """A choice of a board's rows and columns in the reader's language.

    Values are per cent as on the page, unrounded; beside each its half 95 % interval, how many items are in it and
    how many had no readable answer. Missing is empty, never zero.
    """
    columns = choice.columns(board)
    head = [_("Rank, best"), _("Rank, worst"), _("Model"), _("Organisation"), _("Revision"), _("Parameters"),
            _("Licence"), _("Run"), _("Status"), _("Average (%)"), "±95%", _("Tasks with a value"),
            _("Tasks in the average")]  # fmt: skip
    for column in columns:
        title = in_language(column.title_ko, column.title_en)
        name = f"{title} [{column.name}]"
        head += [f"{name} (%)", f"{name} ±95%", f"{name} n", f"{name} {_('no answer')}", f"{name} {_('failed')}"]
    rows = []
    for row in choice.rows(board):
        cells = [part for column in columns for part in _cell(row.cells.get(column.task_id))]
        rows.append([*_facts(row, board), *cells])
    return Table(head, rows)


def _facts(row: Row, board: Board) -> list[Any]:
    model = row.model
    return [
        row.rank_low,
        row.rank_high,
        model.slug,
        model.organization,
        row.revision,
        model.n_parameters,
        model.licence,
        row.run_id,
        row.status,
        per_cent(row.average),
        half_width(row.stderr),
        row.n_present,
        board.n_headline,
    ]


def _cell(cell: Cell | None) -> list[Any]:
    if cell is None:
        return [None] * 5
    return [per_cent(cell.value), half_width(cell.stderr), cell.n_scored, cell.n_no_answer, cell.n_failed]


def per_cent(value: float | None) -> float | None:
    """0..1 as per cent, without the dust of the multiplication."""
    return None if value is None else round(value * 100, 6)


def half_width(stderr: float | None) -> float | None:
    """Half of the 95 % interval, in percentage points."""
    return None if stderr is None else round(Z * stderr * 100, 6)
