"""Boards as files."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import translation
from django.views.decorators.http import require_safe

from leaderboard.board_views import Choice
from leaderboard.boards import Board
from leaderboard.published import publisher
from leaderboard.tables import board_table
from leaderboard.views.boards import page_key, respond

CSV = "text/csv; charset=utf-8"


@require_safe
def board_csv(request: HttpRequest, slug: str) -> HttpResponse:
    """The chosen view of a board as CSV; the address takes what the page's takes."""
    language = translation.get_language() or "ko"
    choice = Choice.read(request.GET)

    def render(board: Board) -> bytes:
        with translation.override(language):
            return board_table(board, choice).csv()

    page = publisher.page(page_key(request.path, choice), slug, CSV, render)
    if page is None:
        raise Http404(f"no board {slug}")
    response = respond(request, page)
    if response.status_code == 200:
        response["Content-Disposition"] = f'attachment; filename="{slug}.csv"'
    return response
