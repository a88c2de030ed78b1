"""Boards as files."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import translation
from django.views.decorators.http import require_safe

from leaderboard import multi_turn
from leaderboard.board_views import Choice
from leaderboard.boards import Board
from leaderboard.multi_turn_choice import Choice as JudgedChoice
from leaderboard.multi_turn_tables import judged_table
from leaderboard.published import publisher
from leaderboard.tables import board_table
from leaderboard.views.boards import page_key, respond
from runners.models import Suite

CSV = "text/csv; charset=utf-8"


@require_safe
def board_csv(request: HttpRequest, slug: str) -> HttpResponse:
    """The chosen view of a board as CSV; the address takes what the page's takes."""
    language = translation.get_language() or "ko"
    choice, judged = Choice.read(request.GET), JudgedChoice.read(request.GET)

    def render(board: Board) -> bytes:
        with translation.override(language):
            if board.suite.kind == Suite.Kind.MULTI_TURN:
                return judged_table(multi_turn.build(board.suite, judged)).csv()
            return board_table(board, choice).csv()

    page = publisher.page(page_key(request.path, choice, judged), slug, CSV, render)
    if page is None:
        raise Http404(f"no board {slug}")
    response = respond(request, page)
    if response.status_code == 200:
        response["Content-Disposition"] = f'attachment; filename="{slug}.csv"'
    return response
