"""A run for experiment trackers, as a file to download."""

from __future__ import annotations

from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from leaderboard import run_export, run_page, trackers


@require_safe
def tracker(request: HttpRequest, pk: int, shape: str) -> JsonResponse:
    """The run's figures in the shape of an experiment tracker; its items are not among them."""
    run = run_page.load(pk)
    if shape not in trackers.SHAPES or run is None:
        raise Http404(f"no shape {shape} of run {pk}")
    found = trackers.SHAPES[shape](run_export.read(run))
    response = JsonResponse(found, json_dumps_params={"ensure_ascii": False, "indent": 1})
    response["Content-Disposition"] = f'attachment; filename="run-{pk}.{shape}.json"'
    return response
