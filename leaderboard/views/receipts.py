"""The receipt of a submission: every run until its end. Whoever holds the link may retry and cancel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from leaderboard import submissions
from leaderboard.explanations import Explanation, explain
from leaderboard.models import Submission
from runners import specify
from runners.models import EvaluationRun
from runners.waiting import Line, Seconds


@dataclass(frozen=True)
class RunLine:
    """A run as the receipt tells it."""

    run: EvaluationRun
    position: int | None
    eta: Seconds | None
    n_workers: int
    n_done: int
    n_tasks: int
    explanation: Explanation | None
    may_cancel: bool
    may_retry: bool
    is_newest: bool


def unlisted(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The address is the key: no cache keeps it and no search engine lists it."""

    @never_cache
    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        response = view(request, *args, **options)
        response["X-Robots-Tag"] = "noindex"
        response["Referrer-Policy"] = "no-referrer" if request.method == "GET" else "same-origin"
        return response

    return wrapped


@unlisted
@require_safe
def receipt(request: HttpRequest, code: str) -> HttpResponse:
    """The page."""
    context = {**_context(_find(code)), "address": request.build_absolute_uri(request.path)}
    return render(request, "submissions/receipt.html", context)


@unlisted
@require_safe
def status(request: HttpRequest, code: str) -> HttpResponse:
    """The part that moves, as a fragment; it stops asking when every run has ended."""
    return render(request, "submissions/_status.html", _context(_find(code)))


@unlisted
@require_POST
def retry(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """Another attempt at a run that failed."""
    return _act(request, code, pk, submissions.retry, _("The run is in line again."))


@unlisted
@require_POST
def cancel(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """Stops a run."""
    return _act(request, code, pk, submissions.cancel, _("The run is asked to stop."))


def _act(
    request: HttpRequest,
    code: str,
    pk: int,
    verb: Callable[[Submission, EvaluationRun], EvaluationRun],
    done: str,
) -> HttpResponse:
    submission = _find(code)
    run = get_object_or_404(submission.runs, pk=pk)
    try:
        verb(submission, run)
    except submissions.SubmissionError as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, done)
    return redirect(f"/{get_language()}/submissions/{submission.receipt}/")


def _find(code: str) -> Submission:
    related = ("revision__language_model", "revision__endpoint")
    return get_object_or_404(Submission.objects.select_related(*related), receipt=code)


def _context(submission: Submission) -> dict[str, Any]:
    lines = _lines(submission)
    return {
        "section": "submit",
        "submission": submission,
        "revision": submission.revision,
        "lines": [line for line in lines if line.is_newest],
        "earlier": [line for line in lines if not line.is_newest],
        "is_live": any(line.run.is_active for line in lines),
        "has_mail": submissions.has_mail(),
    }


def _lines(submission: Submission) -> list[RunLine]:
    """One line per run, in the order of the suites. Eight queries, and one per run that is under way."""
    runs = list(
        submission.runs.select_related("suite", "revision__endpoint")
        .prefetch_related("suite__tasks")
        .annotate(n_results=Count("results", distinct=True))
        .order_by("suite__order", "suite__slug", "created_at", "pk")
        .defer("log_tail", "environment")
    )
    newest = {run.suite_id: run.pk for run in runs}
    line = Line.now() if any(run.is_active for run in runs) else None
    return [_line(submission, run, line, newest[run.suite_id] == run.pk) for run in runs]


def _line(submission: Submission, run: Any, line: Line | None, is_newest: bool) -> RunLine:
    return RunLine(
        run=run,
        position=line.position(run.pk) if line else None,
        eta=line.eta(run.pk) if line else None,
        n_workers=line.workers.get(run.lane, 0) if line else 0,
        n_done=run.n_results,
        n_tasks=sum(specify.can_run(run.revision, task) for task in run.suite.tasks.all()),
        explanation=explain(run.error_kind) if run.error_kind else None,
        may_cancel=run.is_active and not run.cancel_requested_at and submissions.may_cancel(submission, run),
        may_retry=is_newest and run.status in ("failed", "cancelled"),
        is_newest=is_newest,
    )
