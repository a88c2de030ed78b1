"""The boards, as their pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from leaderboard import boards
from leaderboard.api import judged_boards
from leaderboard.api import schemas as s
from leaderboard.api.registry import ApiError, Parameter, choice, endpoint, refuse, words
from leaderboard.api.respond import JSON, encode, send
from leaderboard.board_views import KINDS, PRESETS, SIZES, TUNINGS, Choice
from leaderboard.multi_turn_choice import Choice as JudgedChoice
from leaderboard.published import publisher
from leaderboard.views.boards import respond
from runners.models import Suite

CELL = s.component(
    "Cell",
    s.record(
        {
            "value": s.or_null(s.number(), "0..1; null exactly when n_scored is 0: missing is never zero"),
            "stderr": s.or_null(s.number(), "standard error of the value; 95% is ±1.96 of it"),
            "n_docs": s.integer("items asked"),
            "n_scored": s.integer("items in the value"),
            "n_failed": s.integer("items whose request failed; not in the value"),
            "n_no_answer": s.integer("items without a readable answer; wrong in the value"),
            "run": s.integer("the run it comes from"),
        }
    ),
)
ROW = s.component(
    "Row",
    s.record(
        {
            "model": s.text(),
            "name": s.text(),
            "organization": s.text(),
            "kind": s.one_of("open", "api", "reference"),
            "tuning": s.one_of("base", "instruct", "unknown"),
            "n_parameters": s.or_null(s.integer()),
            "licence": s.text(),
            "revision": s.text("what was measured"),
            "run": s.integer(),
            "status": s.one_of("queued", "running", "judging", "finished", "failed"),
            "is_imported": s.flag("taken from lm-eval's own output folder"),
            "rolled_back": s.or_null(s.text(), "why staff chose this run over a later one"),
            "changed_since": s.or_null(s.time(), "since when the model behind this name answers differently"),
            "rank_low": s.or_null(s.integer(), "best rank that the items allow"),
            "rank_high": s.or_null(s.integer(), "worst rank; two models whose ranks overlap cannot be told apart"),
            "average": s.or_null(s.number(), "mean of the headline tasks; null until every one of them has a value"),
            "stderr": s.or_null(s.number(), "standard error of the average"),
            "n_present": s.integer("headline tasks with a value"),
            "cells": s.table(CELL, "by task name; a task that has not been run is absent"),
        }
    ),
)
BOARD = s.record(
    {
        "suite": s.text(),
        "version": s.integer(),
        "title": s.text(),
        "title_en": s.text(),
        "generated_at": s.time(),
        "generation": s.integer("grows whenever a board changes"),
        "n_headline": s.integer("tasks in the average"),
        "tasks": s.array(s.text(), "the columns, in order"),
        "rows": s.array(ROW),
    }
)
ROW_EXAMPLE = {
    "model": "maker/model-7b",
    "name": "model-7b",
    "organization": "maker",
    "kind": "open",
    "tuning": "instruct",
    "n_parameters": 7_000_000_000,
    "licence": "apache-2.0",
    "revision": "maker/model-7b@0123abcd-bfloat16",
    "run": 12,
    "status": "finished",
    "is_imported": False,
    "rolled_back": None,
    "changed_since": None,
    "rank_low": 1,
    "rank_high": 2,
    "average": 0.813,
    "stderr": 0.021,
    "n_present": 6,
    "cells": {
        "ko_basic_language_gen": {
            "value": 0.851,
            "stderr": 0.0525,
            "n_docs": 47,
            "n_scored": 47,
            "n_failed": 0,
            "n_no_answer": 1,
            "run": 12,
        }
    },
}
FILTERS: tuple[Parameter, ...] = (
    choice("view", list(PRESETS), gettext_lazy("Columns; every task when absent.")),
    choice("size", list(SIZES), gettext_lazy("Parameters: under 4B, 4B to 15B, 15B to 80B, 80B and more.")),
    choice("kind", list(KINDS), gettext_lazy("How the model can be had.")),
    choice("tuning", list(TUNINGS), gettext_lazy("Base or instruction-tuned.")),
    words("licence", gettext_lazy("The licence as it is written on the board.")),
    words("q", gettext_lazy("Search in names and organisations; several words are separated by semicolons.")),
    words("sort", gettext_lazy("A task's name: best first, with a - before it worst first."), longest=130),
)


@endpoint(
    path="/api/v1/boards/{suite}",
    route="boards/<str:suite>",
    name="board",
    summary=gettext_lazy("Board"),
    description=gettext_lazy(
        "The board of a suite with every number of its page: values and averages are 0..1. The board of a multi-turn "
        "question set has its judge's scores on the judge's scale, and the judge's own trial beside them."
    ),
    response={"anyOf": [BOARD, judged_boards.JUDGED_BOARD]},
    example={
        "suite": "ko-basic",
        "version": 1,
        "title": "한국어 기초",
        "title_en": "Korean basics",
        "generated_at": "2026-09-01T09:00:00Z",
        "generation": 41,
        "n_headline": 6,
        "tasks": ["ko_basic_language_gen"],
        "rows": [ROW_EXAMPLE],
    },
    parameters=(*FILTERS, *judged_boards.SWITCHES),
    path_parameters={"suite": s.text(gettext_noop("slug of a suite"))},
    trial="/api/v1/boards/ko-basic",
    statuses=(400, 404),
)
def board(request: HttpRequest, suite: str, **values: Any) -> HttpResponseBase:
    """The whole board comes compressed from memory; a choice of it is made from the board in memory."""
    if not any(values.values()):
        page = publisher.page(
            f"/api/v1/boards/{suite}", suite, JSON, lambda built: encode(_whole(built, Choice(preset="all")))
        )
        if page is None:
            raise _no_board(suite)
        return respond(request, page)
    found = publisher.board(suite)
    if found is None:
        raise _no_board(suite)
    _fitting(found, values)
    if found.suite.kind == Suite.Kind.MULTI_TURN:
        return send(request, encode(judged_boards.payload(found, JudgedChoice.read(values))))
    return send(request, encode(payload(found, _choice(found, values))))


def _whole(board: boards.Board, choice: Choice) -> dict[str, Any]:
    if board.suite.kind == Suite.Kind.MULTI_TURN:
        return judged_boards.payload(board, JudgedChoice())
    return payload(board, choice)


def _fitting(board: boards.Board, values: Mapping[str, Any]) -> None:
    """Refuses a parameter that belongs to the other kind of board."""
    is_judged = board.suite.kind == Suite.Kind.MULTI_TURN
    for parameter in FILTERS if is_judged else judged_boards.SWITCHES:
        if values[parameter.name]:
            why = _("This board is of another kind: /api/v1/docs says which parameters go with it.")
            refuse(parameter.name, str(values[parameter.name]), why)


def payload(board: boards.Board, choice: Choice) -> dict[str, Any]:
    """A choice of a board's rows and columns as JSON; the numbers are the page's own."""
    columns = choice.columns(board)
    return {
        "suite": board.suite.slug,
        "version": board.suite.version,
        "title": board.suite.title_ko,
        "title_en": board.suite.title_en,
        "generated_at": board.generated_at,
        "generation": board.generation,
        "n_headline": board.n_headline,
        "tasks": [column.name for column in columns],
        "rows": [_row(row, columns) for row in choice.rows(board)],
    }


def _row(row: boards.Row, columns: list[boards.Column]) -> dict[str, Any]:
    model = row.model
    cells = {column.name: row.cells[column.task_id] for column in columns if column.task_id in row.cells}
    return {
        "model": model.slug,
        "name": model.name,
        "organization": model.organization,
        "kind": model.kind,
        "tuning": model.tuning,
        "n_parameters": model.n_parameters,
        "licence": model.licence,
        "revision": row.revision,
        "run": row.run_id,
        "status": row.status,
        "is_imported": row.is_imported,
        "rolled_back": row.rollback.reason if row.rollback else None,
        "changed_since": row.drift.about_at if row.drift else None,
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
        "average": row.average,
        "stderr": row.stderr,
        "n_present": row.n_present,
        "cells": {
            name: {
                "value": cell.value,
                "stderr": cell.stderr,
                "n_docs": cell.n_docs,
                "n_scored": cell.n_scored,
                "n_failed": cell.n_failed,
                "n_no_answer": cell.n_no_answer,
                "run": cell.run_id,
            }
            for name, cell in cells.items()
        },
    }


def _choice(board: boards.Board, values: Mapping[str, Any]) -> Choice:
    """The parameters as the page's own choice; a licence or a task that the board does not know is refused."""
    licences = {row.model.licence for row in board.rows if row.model.licence}
    if values["licence"] and values["licence"] not in licences:
        refuse("licence", values["licence"], _("On this board: %(values)s.") % {"values": ", ".join(sorted(licences))})
    names = [column.name for column in board.columns]
    if values["sort"] and values["sort"].removeprefix("-") not in names:
        refuse("sort", values["sort"], _("The tasks of this board are: %(values)s.") % {"values": ", ".join(names)})
    return Choice.read({"view": "all", **{name: value for name, value in values.items() if value}})


def _no_board(suite: str) -> ApiError:
    message = _("There is no published suite “%(suite)s”. /api/v1/suites lists them.") % {"suite": suite[:100]}
    return ApiError(404, message, "suite", suite[:100])
