"""The comparison of two to four models on one suite."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from judging import standings
from judging.models import Judge, QuestionSet
from leaderboard import boards, comparison, multi_turn
from leaderboard.multi_turn_choice import MAX_SHOWN, Choice
from leaderboard.published import publisher
from runners.models import Suite


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
    if board.suite.kind == Suite.Kind.MULTI_TURN:
        return redirect(_judged(board.suite, asked))
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


def _judged(suite: Suite, asked: list[str]) -> str:
    """Where models are compared on a set of conversations: by their newest runs."""
    question_set = QuestionSet.objects.get(suite=suite)
    judge = next((one for one in standings.judges_of(question_set) if one.mode == Judge.Mode.SINGLE), None)
    runs: dict[str, int] = {}
    for row in multi_turn.listed(question_set, judge) if judge else []:
        for name in (row.run.revision.slug, row.run.revision.language_model.slug):
            runs.setdefault(name, row.run_id)
    models = tuple(dict.fromkeys(runs[name] for name in asked if name in runs))[:MAX_SHOWN]
    return f"/{get_language()}/boards/{suite.slug}/compare/{Choice(models=models).query()}"


def _fitting(slugs: list[str], asked: list[str]) -> str:
    """The first suite on whose board at least two of the models stand."""
    for slug in slugs if asked else []:
        board = publisher.board(slug)
        if board is not None:
            rows, _unknown = comparison.choose(board, asked)
            if sum(bool(row.cells) for row in rows) > 1:
                return slug
    return slugs[0] if slugs else ""
