"""A board's table as HTML. Written by hand, since a template takes a second for 500 models by 60 tasks."""

from __future__ import annotations

from html import escape

from django.utils.translation import gettext as _

from leaderboard.board_marks import marks
from leaderboard.board_views import Choice
from leaderboard.boards import Board, Cell, Column, Row
from runners.models.benchmarks import in_language

Z = 1.959963984540054
# A bigger board leaves the link of each cell to site.js, which reads row and column: half the page otherwise.
LINKED_CELLS = 6_000


def table(board: Board, choice: Choice, language: str) -> str:
    """The table of a choice of rows and columns; values in per cent with the half width of their 95 % interval."""
    rows, columns = choice.rows(board), choice.columns(board)
    statistics = choice.preset == "statistics"
    linked = len(rows) * len(columns) <= LINKED_CELLS
    parts = [
        f'<table class="board{"" if linked else " compact"}" data-language="{language}">',
        _head(board, columns, choice, statistics),
        "<tbody>",
    ]
    span = _span(rows)
    for row in rows:
        parts.append(_row(row, board, columns, language, span, linked=linked, statistics=statistics))
    parts.append("</tbody></table>")
    return "".join(parts)


def _head(board: Board, columns: list[Column], choice: Choice, statistics: bool) -> str:
    interval = _("95%% interval") % ()
    cells = [
        f"<th scope=col class=rank>{_('Rank')}",
        f"<th scope=col class=model>{_('Model')}",
        f'<th scope=col class=average aria-sort=descending><a href="{escape(choice.query(sort=""))}#board">'
        f"{_('Average')}</a><small>{interval}</small>",
    ]
    for column in columns:
        title = escape(in_language(column.title_ko, column.title_en))
        group = escape(in_language(column.group_ko, column.group_en))
        descending = choice.sort == column.name
        sort = f"-{column.name}" if descending else column.name
        state = ' aria-sort="descending"' if descending else ""
        count = f"n={column.n_docs:,}" if column.n_docs else ""
        mode = _("generation") if column.mode == "generate" else _("likelihood")
        shots = " · " + _("%(n)s-shot") % {"n": column.num_fewshot} if column.num_fewshot else ""
        cells.append(
            f'<th scope=col data-task="{escape(column.name)}"{state}><a href="{escape(choice.query(sort=sort))}#board">'
            f"{title}</a><small>{group or mode}{shots}<br>{count}</small>"
        )
    return f"<thead><tr>{''.join(cells)}</thead>"


def _row(
    row: Row,
    board: Board,
    columns: list[Column],
    language: str,
    span: tuple[float, float],
    *,
    linked: bool,
    statistics: bool,
) -> str:
    model = row.model
    facts = " · ".join(
        part
        for part in (
            escape(model.organization),
            f"{model.n_parameters / 1e9:.1f}B" if model.n_parameters else "",
            _("reference player") if model.kind == "reference" else "",
            _("imported") if row.is_imported else "",
            *marks(model.slug, language, row.rollback, row.drift),
        )
        if part
    )
    head = (
        f"<tr data-run={row.run_id}><td class=rank>{_rank(row)}"
        f'<th scope=row class=model><a href="/{language}/models/{escape(model.slug)}/">{escape(model.display_name)}</a>'
        f"<small>{facts}</small>"
    )
    cells = [_cell(row, column, language, linked, statistics) for column in columns]
    return f"{head}{_average(row, board, language, span)}{''.join(cells)}\n"


def _rank(row: Row) -> str:
    if row.rank_low is None:
        why = _("no rank before every task has a value")
        return f'<span class=faint title="{why}">–</span>'
    low, high = row.rank_low, row.rank_high
    return str(low) if low == high else f"{low}–{high}"


def _average(row: Row, board: Board, language: str, span: tuple[float, float]) -> str:
    """The average with its interval as number and drawing, or how far the run has come."""
    if row.average is None:
        state = _state(row)
        known = f"{row.n_present}/{board.n_headline}"
        return (
            f'<td class=average><a href="/{language}/runs/{row.run_id}/">{state}</a><small>{known} {_("tasks")}</small>'
        )
    value, half = row.average * 100, Z * (row.stderr or 0.0) * 100
    mark = f"<i>±{half:.1f}</i>" if row.stderr is not None else ""
    return (
        f'<td class=average><a href="/{language}/runs/{row.run_id}/"><b>{value:.1f}</b></a>{mark}'
        f"{_drawing(value, half, span)}"
    )


def _drawing(value: float, half: float, span: tuple[float, float]) -> str:
    low, high = span
    scale = 100 / max(high - low, 1e-9)
    x, a, b = ((v - low) * scale for v in (value, value - half, value + half))
    return (
        f'<svg class=ci viewBox="0 0 100 8" aria-hidden=true><path d="M{a:.0f} 4H{b:.0f}"/>'
        f"<circle cx={x:.0f} cy=4 r=3 /></svg>"
    )


def _span(rows: list[Row]) -> tuple[float, float]:
    """The interval drawings share this range, in per cent."""
    ends = [
        (row.average * 100 - 200 * (row.stderr or 0), row.average * 100 + 200 * (row.stderr or 0))
        for row in rows
        if row.average is not None
    ]
    return (min(a for a, _b in ends), max(b for _a, b in ends)) if ends else (0.0, 100.0)


def _state(row: Row) -> str:
    words = {
        "queued": _("waiting"),
        "running": _("running"),
        "judging": _("being judged"),
        "failed": _("failed"),
        "finished": _("incomplete"),
    }
    return f'<span class="pill {row.status}">{words.get(row.status, row.status)}</span>'


def _cell(row: Row, column: Column, language: str, linked: bool, statistics: bool) -> str:
    cell = row.cells.get(column.task_id)
    if cell is None:
        return '<td class="faint">–'
    if cell.value is None:
        return f'<td class="faint" title="{_("nothing could be scored")}">–<i>{_("failed")} {cell.n_failed}</i>'
    text = f"{cell.value * 100:.1f}"
    if linked:
        text = f'<a href="/{language}/runs/{row.run_id}/samples/{escape(column.name)}/">{text}</a>'
    # In a compact table the sheet writes the ± sign and HTML ends the <i> with its cell: a quarter of a big page.
    sign = "±" if linked or statistics else ""
    return f"<td class=h{min(9, int(cell.value * 10))}>{text}{_beside(cell, column, statistics, sign)}"


def _beside(cell: Cell, column: Column, statistics: bool, sign: str) -> str:
    """What stands beside a value: half its 95 % interval, and n where it is not the column's."""
    half = f"{sign}{Z * cell.stderr * 100:.1f}" if cell.stderr is not None else ""
    if statistics:
        return (
            f"<i>{half}<br>n={cell.n_scored}/{cell.n_docs}<br>{_('no answer')} {cell.n_no_answer}"
            f"<br>{_('failed')} {cell.n_failed}</i>"
        )
    whole = cell.n_scored == cell.n_docs and column.n_docs in (None, cell.n_docs)
    count = "" if whole else f"<b class=n>n={cell.n_scored}/{cell.n_docs}</b>"
    return (f"<i>{half}" if half else "") + ("</i>" if half and (sign or count) else "") + count
