"""The one button of a site with an attached model server."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from leaderboard import attached, precheck, quota, submissions
from leaderboard.submissions import Wanted
from leaderboard.views.submit import offered_models
from runners.models import Endpoint


@never_cache
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Starts what was chosen and leads to its receipt; says beside the button what stands in the way."""
    key = request.POST.get("form_key", "")[:64]
    if sent := submissions.sent_before(key):
        return redirect(f"/{get_language()}/submissions/{sent.receipt}/")
    if not attached.may_start(request.user):
        raise PermissionDenied("a judge is let in by those who run the site")
    offer = attached.offer(request.user, offered_models())
    model = next((one for one in offer.models if one.slug == request.POST.get("model")), None) if offer else None
    judge = next((one for one in offer.judges if str(one.pk) == request.POST.get("judge")), None) if offer else None
    if offer is None or model is None or judge is None:
        return _refused(request, [_("This model or this judge is no longer offered; choose another one.")])
    in_the_way = [text for one in {model.endpoint, judge.endpoint} if one is not None for text in _looks(one)]
    if in_the_way:
        return _refused(request, in_the_way)
    wanted = Wanted(form_key=key, network=quota.network_of(request), model=model, suites=[offer.suite])
    try:
        made = attached.start(wanted, judge)
    except submissions.SubmissionError as error:
        return _refused(request, [str(error)])
    return redirect(f"/{get_language()}/submissions/{made.receipt}/")


def _looks(endpoint: Endpoint) -> list[str]:
    refusals = precheck.served_findings(endpoint).refusals()
    return [f"{endpoint.served_name}: {check.text} {check.remedy}".strip() for check in refusals]


def _refused(request: HttpRequest, reasons: list[str]) -> HttpResponse:
    return render(request, "submissions/not_started.html", {"section": "submit", "reasons": reasons}, status=422)
