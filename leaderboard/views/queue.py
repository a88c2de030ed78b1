"""The queue page and its live part."""

from __future__ import annotations

import time

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import translation
from django.views.decorators.http import require_safe

from leaderboard import queue_page

LIVE_SECONDS = 1.0
# language → (when, mark, live part, live part with what has ended since)
_known: dict[str, tuple[float, str, str, str]] = {}


@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    """The whole queue."""
    return render(request, "queue/queue.html", {"section": "queue", "page": queue_page.read()})


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The live part; with it what has ended, when the reader's page (`was`) does not have it yet.

    Read once a second for everybody, however many watch.
    """
    language = translation.get_language() or "ko"
    now = time.monotonic()
    known = _known.get(language)
    if known is None or now - known[0] > LIVE_SECONDS:
        page = queue_page.read()
        context = {"page": page, "language": language}
        parts = [render_to_string("queue/_live.html", {**context, "moved": moved}) for moved in (False, True)]
        known = _known[language] = (now, page.mark, parts[0], parts[1])
    response = HttpResponse(known[2] if request.GET.get("was", "") == known[1] else known[3])
    response["Cache-Control"] = "no-store"
    return response
