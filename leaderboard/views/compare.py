"""The comparison of two to four models on one suite."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from leaderboard import boards, comparison
from leaderboard.published import publisher


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """`?models=a,b[,c,d]&suite=…`; without enough models a form to choose them, without a suite the first that fits."""
    suites = boards.published_suites()
    asked = [name for value in request.GET.getlist("models") for name in value.split(",") if name.strip()]
    asked = [name.strip()[:240] for name in asked][:16]
    slug = request.GET.get("suite", "") or _fitting([suite.slug for suite in suites], asked)
    if not suites:
        return render(request, "leaderboard/no_board.html", {"section": "boards"})
    board = publisher.board(slug)
    if board is None:
        raise Http404(f"no board {slug}")
    rows, unknown = comparison.choose(board, asked)
    context = {
        "suites": suites,
        "board": board,
        "rows": rows,
        "unknown": unknown,
        "query": ",".join(asked),
        "found": comparison.compare(board, rows) if len(rows) > 1 else None,
    }
    return render(request, "leaderboard/compare.html", context)


def _fitting(slugs: list[str], asked: list[str]) -> str:
    """The first suite on whose board at least two of the models stand."""
    for slug in slugs if asked else []:
        board = publisher.board(slug)
        if board is not None:
            rows, _unknown = comparison.choose(board, asked)
            if sum(bool(row.cells) for row in rows) > 1:
                return slug
    return slugs[0] if slugs else ""
