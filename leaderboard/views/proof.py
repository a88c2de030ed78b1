"""A run held against the one it repeats, or against any other of its suite."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from leaderboard import proof as proofs
from leaderboard import run_page
from runners.models import EvaluationRun

PAGE = 50
VERDICTS = {
    "identical": (_("reproduced"), _("Every item came out as before.")),
    "within": (
        _("within noise"),
        _(
            "Items flipped, but no more to one side than chance explains. "
            "The interval says how large a difference is not excluded."
        ),
    ),
    "different": (
        _("different"),
        _("The difference is larger than chance explains. What was set otherwise stands below."),
    ),
    "unknown": (_("cannot be told"), _("The two runs share no task whose items can be paired.")),
    "pending": (_("not yet"), _("One of the two is still under way; this is how far they have come.")),
}
WHY_NOT = {
    "no_items": _("no items are stored"),
    "other_number": _("another number of items"),
    "other_data": _("another state of the data set"),
}


@require_safe
def proof(request: HttpRequest, pk: int) -> HttpResponse:
    """The proof of a rerun; `?against=` names another run of the same suite to hold it against."""
    run = _run(pk)
    asked = request.GET.get("against", "")
    other_id = int(asked) if asked.isdecimal() and len(asked) < 19 else run.rerun_of_id
    if other_id is None or other_id == run.pk:
        raise Http404("this run repeats no other; name one with ?against=")
    other = _run(other_id)
    if other.suite.slug != run.suite.slug:
        raise Http404("the two runs are of different suites")
    found = proofs.prove(run, other)
    page = Paginator(range(proofs.n_shown(found)), PAGE).get_page(request.GET.get("page"))
    label, text = VERDICTS[found.verdict]
    context = {
        "run": run,
        "other": other,
        "proof": found,
        "label": label,
        "text": text,
        "why_not": WHY_NOT,
        "page": page,
        "flips": proofs.flips(found, max(page.start_index() - 1, 0), page.end_index()),
        "against": asked if other_id != run.rerun_of_id else "",
    }
    return render(request, "runs/proof.html", context)


def _run(pk: int) -> EvaluationRun:
    found = run_page.load(pk)
    if found is None:
        raise Http404(f"no run {pk}")
    return found
