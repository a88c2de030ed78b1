"""A run's items as they were asked and answered; of a private benchmark only the counts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.files.storage import default_storage
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from leaderboard.api import schemas as s
from leaderboard.api.paging import page_of
from leaderboard.api.registry import PAGE, choice, endpoint, refuse, words
from leaderboard.api.runs import find
from leaderboard.sample_pages import OUTCOMES
from runners.models import Sample, Task, TaskResult
from runners.reports import SampleReport

PER_PAGE = 50
# The page's own filters, and the status that takes right and wrong together.
FILTERS: dict[str, Q] = {key: condition for key, (_label, condition) in OUTCOMES.items()}
FILTERS["scored"] = Q(status="scored")
ITEM = s.component(
    "Sample",
    s.record(
        {
            "task": s.text(),
            "doc_id": s.integer("place of the item in its set, from 0"),
            "item_id": s.text("the same for the same item in every mode"),
            "status": s.one_of("scored", "no_answer", "error"),
            "correct": s.or_null(s.number(), "the item's score; null where the request failed"),
            "prompt": s.or_null(s.text(), "as sent; null where the run's file is no longer there"),
            "reply": s.or_null(s.text(), "as received, or the likeliest option"),
            "extracted": s.or_null(s.text(), "the answer that was read; null where none could be"),
            "target": s.text(),
            "metrics": s.free(),
            "choices": s.or_null(s.array(s.text())),
            "logprobs": s.or_null(s.array(s.or_null(s.number())), "natural log-likelihood per option"),
            "finish_reason": s.or_null(s.text()),
            "error": s.or_null(s.text()),
            "doc_hash": s.text(),
            "prompt_hash": s.text(),
            "target_hash": s.text(),
        }
    ),
)
PRIVATE = s.record(
    {
        "task": s.text(),
        "n_docs": s.integer(),
        "n_scored": s.integer(),
        "n_failed": s.integer(),
        "n_no_answer": s.integer(),
    }
)
EXAMPLE_ITEM = {
    "task": "ko_basic_language_gen",
    "doc_id": 0,
    "item_id": "language-001",
    "status": "scored",
    "correct": 1.0,
    "prompt": "다음 문제를 읽고 …",
    "reply": "정답: D",
    "extracted": "D",
    "target": "D",
    "metrics": {"acc": 1.0},
    "choices": None,
    "logprobs": None,
    "finish_reason": "stop",
    "error": None,
    "doc_hash": "bf3b",
    "prompt_hash": "53d6",
    "target_hash": "3f39",
}


@endpoint(
    path="/api/v1/runs/{id}/samples",
    route="runs/<int:id>/samples",
    name="samples",
    summary=gettext_lazy("Samples of a run"),
    description=gettext_lazy(
        "Every item with its prompt, reply, extracted answer and target, 50 a page. Nothing of a private benchmark's "
        "items is given out: their counts stand under private."
    ),
    response=s.paged(ITEM, {"run": s.integer(), "private": s.array(PRIVATE, "tasks whose items are withheld")}),
    example={"run": 12, "private": [], "page": 1, "pages": 1, "total": 1, "rows": [EXAMPLE_ITEM]},
    parameters=(
        words("task", gettext_lazy("Items of this task alone."), longest=120),
        choice("status", list(FILTERS), gettext_lazy("What became of the item.")),
        PAGE,
    ),
    path_parameters={"id": s.integer(gettext_noop("number of a run"))},
    trial="/api/v1/runs/1/samples",
    statuses=(400, 404),
)
def samples(request: HttpRequest, id: int, task: str, status: str | None, page: int) -> dict[str, Any]:
    """Five queries; six where a task is named that has no result yet."""
    found = find(id)
    results = list(
        TaskResult.objects.filter(run=found, **({"task__name": task} if task else {}))
        .select_related("task__benchmark")
        .defer("item_scores")
    )
    if task and not results:
        places = Task.objects.filter(suites=found.suite).order_by("suite_tasks__order")
        known = list(places.values_list("name", flat=True))
        if task not in known:
            refuse("task", task, _("The tasks of this run are: %(values)s.") % {"values": ", ".join(known)})
    private = [result for result in results if result.task.benchmark.is_private]
    shown = [result for result in results if not result.task.benchmark.is_private]
    chosen = FILTERS[status] if status else Q()
    wanted = Sample.objects.filter(chosen, result__in=shown).order_by("result_id", "doc_id")
    withheld = [_counts(result) for result in private]
    return {"run": found.pk, "private": withheld, **page_of(wanted, page, PER_PAGE, _rows)}


def _counts(result: TaskResult) -> dict[str, Any]:
    return {
        "task": result.task.name,
        "n_docs": result.n_docs,
        "n_scored": result.n_scored,
        "n_failed": result.n_failed,
        "n_no_answer": result.n_no_answer,
    }


def _rows(keys: list[int]) -> list[dict[str, Any]]:
    found: QuerySet[Sample] = Sample.objects.filter(pk__in=keys).order_by("result_id", "doc_id")
    rows = found.select_related("result__task", "result__artifact").defer("result__item_scores")
    return [_row(sample, whole) for sample, whole in with_texts(rows)]


def with_texts(samples: Iterable[Sample]) -> Iterator[tuple[Sample, SampleReport | None]]:
    """Each sample with its whole prompt and reply, or None where the file is gone; each file is opened once."""
    path, file = "", None
    try:
        for sample in samples:
            artifact = getattr(sample.result, "artifact", None)
            if artifact is None:
                yield sample, None
                continue
            if artifact.path != path:
                if file is not None:
                    file.close()
                path = artifact.path
                file = default_storage.open(path, "rb") if default_storage.exists(path) else None
            if file is None:
                yield sample, None
                continue
            file.seek(sample.offset)
            yield sample, SampleReport.from_dict(json.loads(file.readline()))
    finally:
        if file is not None:
            file.close()


def _row(sample: Sample, whole: SampleReport | None) -> dict[str, Any]:
    return {
        "task": sample.result.task.name,
        "doc_id": sample.doc_id,
        "item_id": sample.item_id,
        "status": sample.status,
        "correct": sample.correct,
        "prompt": whole.prompt if whole else None,
        "reply": whole.reply if whole else None,
        "extracted": whole.extracted if whole else sample.extracted,
        "target": whole.target if whole else sample.target,
        "metrics": sample.metrics,
        "choices": whole.choices if whole else None,
        "logprobs": whole.logprobs if whole else None,
        "finish_reason": sample.finish_reason or None,
        "error": whole.error if whole else None,
        "doc_hash": sample.doc_hash,
        "prompt_hash": sample.prompt_hash,
        "target_hash": sample.target_hash,
    }
