"""A run's page, its live part, and the files it left."""

from __future__ import annotations

from typing import Any

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from leaderboard import listing, reproduction, run_page
from runners import specify
from runners.models import Artifact, EvaluationRun


@require_safe
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """One run from the line to the last hash."""
    found = _run(pk)
    page = run_page.read(found)
    is_trial = "limit" in found.settings
    context = {"page": page, "run": found, "is_trial": is_trial, "rollbacks": listing.about(found), **_more(page)}
    return render(request, "runs/run.html", context)


@require_safe
def live(request: HttpRequest, pk: int) -> HttpResponse:
    """The live part alone; the rest comes with it when the run has moved on since `was`. A run that has ended
    answers without a poll, and so the polling stops."""
    found = _run(pk)
    page = run_page.read(found)
    context: dict[str, Any] = {"page": page, "run": found, "moved": request.GET.get("was", "") != page.state}
    if context["moved"]:
        context |= _more(page)
    response = render(request, "runs/_live.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def artifact(request: HttpRequest, pk: int, artifact_pk: int) -> FileResponse:
    """A file of a run, as it is stored. Nothing of a private benchmark leaves the site."""
    found = get_object_or_404(Artifact.objects.select_related("result__task__benchmark"), pk=artifact_pk, run=pk)
    if _is_private(found) or not default_storage.exists(found.path):
        raise Http404("no such file")
    return FileResponse(
        default_storage.open(found.path, "rb"), as_attachment=True, filename=found.path.rsplit("/", 1)[-1]
    )


def _run(pk: int) -> EvaluationRun:
    found = run_page.load(pk)
    if found is None:
        raise Http404(f"no run {pk}")
    return found


def _more(page: run_page.RunPage) -> dict[str, Any]:
    """What does not change while a run answers: how to repeat it, what it was made with, its kin and its files."""
    run = page.run
    tasks = [line.task for line in page.lines if specify.can_run(run.revision, line.task)]
    results = [line.result for line in page.lines if line.result is not None]
    return {
        "evaluate_command": None if run.is_imported else reproduction.evaluate_command(run),
        "harness_command": reproduction.harness_command(run, tasks) if tasks else None,
        "model_facts": reproduction.model_facts(run.revision),
        "suite_facts": reproduction.suite_facts(run),
        "setting_facts": reproduction.setting_facts(run),
        "task_facts": list(reproduction.task_facts(results)),
        "reruns": list(run.reruns.order_by("pk")),
        "artifacts": [] if page.is_private else list(run.artifacts.select_related("result__task").order_by("pk")),
    }


def _is_private(found: Artifact) -> bool:
    if found.result is not None:
        return found.result.task.benchmark.is_private
    return found.run.suite.tasks.filter(benchmark__is_private=True).exists()
