"""The questions behind a number: counts, lists with filters, and one page per item."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from leaderboard import sample_pages
from runners.models import EvaluationRun, Sample, TaskResult

PAGE = 50


@require_safe
def tasks(request: HttpRequest, pk: int) -> HttpResponse:
    """Every task of a run with how its items came out."""
    run = _run(pk)
    results = list(
        TaskResult.objects.filter(run=run)
        .select_related("task__benchmark")
        .defer("item_scores")
        .order_by("task__suite_tasks__order", "pk")
        .filter(task__suite_tasks__suite=run.suite_id)
    )
    counts = sample_pages.counts(results)
    lines = [(result, _filters(counts.get(result.pk, {}))) for result in results]
    return render(request, "samples/tasks.html", {"run": run, "lines": lines})


@require_safe
def items(request: HttpRequest, pk: int, task: str) -> HttpResponse:
    """The items of one task, PAGE at a time, all or by how they came out. A private set shows its counts alone."""
    run, result = _result(pk, task)
    counts = sample_pages.counts([result]).get(result.pk, {})
    chosen = _chosen(request)
    context = {
        "run": run,
        "result": result,
        "filters": _filters(counts),
        "total": sum(counts.values()),
        "chosen": chosen,
    }
    if not result.task.benchmark.is_private:
        found = result.samples.filter(_condition(chosen)).order_by("doc_id")
        page = Paginator(found, PAGE).get_page(request.GET.get("page"))
        context |= {"page": page, "rows": sample_pages.rows(result, list(page))}
    return render(request, "samples/items.html", context)


@require_safe
def item(request: HttpRequest, pk: int, task: str, doc_id: int) -> HttpResponse:
    """One item: what was asked, what came back, how it was read, and how others answered it."""
    run, result = _result(pk, task)
    if result.task.benchmark.is_private:
        raise Http404("items of a private set are not shown")
    sample = get_object_or_404(Sample, result=result, doc_id=doc_id)
    sample.result = result
    report = sample_pages.read(result, [sample]).get(sample.pk)
    chosen = _chosen(request)
    before, after = sample_pages.neighbours(sample, _condition(chosen))
    context = {
        "run": run,
        "result": result,
        "sample": sample,
        "report": report,
        "outcome": sample_pages.outcome(sample),
        "turns": sample_pages.turns(report.prompt) if report else [],
        "options": sample_pages.options(report) if report else [],
        "others": sample_pages.others(sample, run, result.task.benchmark_id),
        "before": before,
        "after": after,
        "chosen": chosen,
        "chosen_label": sample_pages.OUTCOMES[chosen][0] if chosen else "",
    }
    return render(request, "samples/item.html", context)


def _run(pk: int) -> EvaluationRun:
    return get_object_or_404(EvaluationRun.objects.select_related("suite", "revision__language_model"), pk=pk)


def _result(pk: int, task: str) -> tuple[EvaluationRun, TaskResult]:
    run = _run(pk)
    results = TaskResult.objects.filter(run=run, task__name=task).select_related("task__benchmark").defer("item_scores")
    return run, get_object_or_404(results)


def _chosen(request: HttpRequest) -> str:
    asked = request.GET.get("show", "")
    return asked if asked in sample_pages.OUTCOMES else ""


def _condition(chosen: str) -> Q:
    return sample_pages.OUTCOMES[chosen][1] if chosen else Q()


def _filters(counts: dict[str, int]) -> list[tuple[str, object, int]]:
    return [(key, label, counts.get(key, 0)) for key, (label, _condition) in sample_pages.OUTCOMES.items()]
