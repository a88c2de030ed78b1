"""The public boards."""

from __future__ import annotations

import time

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from leaderboard import board_html, boards
from leaderboard.board_views import KINDS, PRESETS, SIZES, TUNINGS, Choice
from leaderboard.context import public
from leaderboard.multi_turn_choice import Choice as JudgedChoice
from leaderboard.published import Page, publisher
from leaderboard.views import multi_turn
from runners.models import EvaluationRun, LanguageModel, Suite

LIVE_SECONDS = 1.0
_live: dict[tuple[str, str], tuple[float, str, int]] = {}


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The first published board; before there is one, a page that says what comes."""
    suites = boards.published_suites()
    if not suites:
        return render(request, "leaderboard/no_board.html", {"section": "boards"}, status=200)
    return _serve(request, suites[0].slug)


@require_safe
def board(request: HttpRequest, slug: str) -> HttpResponse:
    """The board of one suite."""
    return _serve(request, slug)


def _serve(request: HttpRequest, slug: str) -> HttpResponse:
    language = translation.get_language() or "ko"
    choice, judged = Choice.read(request.GET), JudgedChoice.read(request.GET)
    path = request.path

    def render_body(built: boards.Board) -> bytes:
        if built.suite.kind == Suite.Kind.MULTI_TURN:
            return multi_turn.body(built, judged, language, path)
        return _body(built, choice, language, path)

    key = page_key(path, choice, judged)
    page = publisher.page(key, slug, "text/html; charset=utf-8", render_body)
    if page is None:
        raise Http404(f"no board {slug}")
    return respond(request, page)


def page_key(path: str, choice: Choice, judged: JudgedChoice) -> str:
    """One page per path and choice, however the address spells the choice; a board takes one kind of choice."""
    return path + (judged.query() or choice.query())


def _body(board: boards.Board, choice: Choice, language: str, path: str) -> bytes:
    """The whole page; nothing in it depends on who reads it."""
    with translation.override(language):
        part = choice.part(board)
        context = {
            **public(path + choice.query(), language),
            "section": "boards",
            "board": part,
            "shots": [("", _("zero-shot"), choice.query(shots=""))]
            + [(str(n), _("%(n)s-shot") % {"n": n}, choice.query(shots=str(n))) for n in board.by_shots],
            "choice": choice,
            "suites": boards.published_suites(),
            "n_models": len(part.rows),
            "n_ranked": sum(row.rank_low is not None for row in part.rows),
            "only_reference": bool(part.rows)
            and all(row.model.kind == LanguageModel.Kind.REFERENCE for row in part.rows),
            "table": board_html.table(board, choice, language),
            "shown": len(choice.rows(board)),
            "presets": [(key, label, choice.query(preset=key)) for key, label in PRESETS.items()],
            "sizes": [(key, size[2]) for key, size in SIZES.items()],
            "kinds": KINDS.items(),
            "tunings": TUNINGS.items(),
            "licences": sorted({row.model.licence for row in part.rows if row.model.licence}),
            "path": path,
        }
        return render_to_string("leaderboard/board.html", context).encode()


def respond(request: HttpRequest, page: Page) -> HttpResponse:
    """The page in the encoding the reader takes, or 304."""
    if request.headers.get("If-None-Match") == page.etag:
        response: HttpResponse = HttpResponseNotModified()
    else:
        body, encoding = page.encoded(request.headers.get("Accept-Encoding", ""))
        response = HttpResponse(b"" if request.method == "HEAD" else body, content_type=page.content_type)
        if encoding:
            response["Content-Encoding"] = encoding
    response["ETag"] = page.etag
    response["Cache-Control"] = "public, max-age=0, must-revalidate"
    response["Vary"] = "Accept-Encoding"
    return response


@require_safe
def live(request: HttpRequest, slug: str) -> HttpResponse:
    """What runs for this board right now; tells the page when its numbers have changed."""
    language = translation.get_language() or "ko"
    now = time.monotonic()
    known = _live.get((slug, language))
    if known is None or now - known[0] > LIVE_SECONDS:
        active = list(
            EvaluationRun.objects.active()
            .filter(suite__slug=slug)
            .select_related("revision__language_model")
            .order_by("-status", "-priority", "created_at")[:12]
        )
        body = render_to_string("leaderboard/_live.html", {"active": active, "language": language, "slug": slug})
        _live[slug, language] = known = (now, body, boards.generation())
    response = HttpResponse(known[1])
    response["Cache-Control"] = "no-store"
    if request.GET.get("g", "") != str(known[2]):
        response["HX-Trigger"] = "board-changed"
    return response
