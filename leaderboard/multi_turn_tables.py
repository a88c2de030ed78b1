"""A multi-turn board as a table that leaves the site."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from judging.scores import Mean
from leaderboard.multi_turn import FAILURES, NOTHING, MultiTurnBoard, Row
from leaderboard.multi_turn_choice import category_title
from leaderboard.tables import Table


def judged_table(board: MultiTurnBoard) -> Table:
    """Every number of the page in the reader's language; missing is empty, never zero."""
    head = [_("Rank, best"), _("Rank, worst"), _("Rank by mean"), _("Rank without switches"), _("Model"),
            _("Organisation"), _("Revision"), _("Run"), _("Judge"), _("Prompting")]  # fmt: skip
    turns = range(1, board.n_turns + 1)
    names = [_("Overall"), *(_("Turn %(turn)d") % {"turn": turn} for turn in turns)]
    names += [category_title(name) for name in board.categories]
    low, high = _("lower bound"), _("upper bound")
    for name in names:
        head += [name, f"{name} 95% {low}", f"{name} 95% {high}", f"{name} n", f"{name} {_('failed')}"]
    head += [str(title) for title in FAILURES.values()]
    head += [_("Hangul share"), _("Turns not in Korean"), _("Turns with foreign script"), _("Register consistency")]
    head += [_("Tokens out"), "KRW"]
    return Table(head, [_line(board, row) for row in board.rows])


def _line(board: MultiTurnBoard, row: Row) -> list[Any]:
    model, judged = row.language_model, row.judged
    judge = f"{board.judge.slug}@{board.judge.version}" if board.judge else ""
    means = [row.overall, *(row.turns.get(turn, NOTHING) for turn in range(1, board.n_turns + 1))]
    means += [row.categories.get(name, NOTHING) for name in board.categories]
    fidelity = judged.fidelity if judged.fidelity.get("measured") else {}
    return [
        row.rank_low,
        row.rank_high,
        row.rank,
        row.plain_rank,
        model.slug,
        model.organization,
        judged.run.revision.slug,
        judged.run_id,
        judge,
        judged.mode,
        *(part for mean in means for part in _mean(mean)),
        *row.failures.values(),
        *(fidelity.get(name) for name in ("hangul_share", "not_korean", "leaking", "register_share")),
        judged.completion_tokens,
        row.won,
    ]


def _mean(mean: Mean) -> list[Any]:
    return [mean.value, mean.low, mean.high, mean.n, mean.failed]
