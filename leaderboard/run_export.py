"""A run as experiment trackers keep one: parameters, metrics with their errors and counts, tags, and its record.

Nothing of an item goes along but, where asked for, the files of public tasks. What is not known is left out: a tracker
would draw a zero.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leaderboard import run_page
from leaderboard.api.runs import provenance
from runners.logs import for_the_public
from runners.models import Artifact, EvaluationRun, TaskResult

COUNTS = ("n_docs", "n_scored", "n_failed", "n_no_answer", "n_truncated", "seconds", "prompt_tokens",
          "completion_tokens")  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """One number: values 0..1 as in the API, counts, seconds."""

    key: str
    value: float
    at: datetime
    step: int


@dataclass(frozen=True)
class RunExport:
    """`experiment` is the suite's version. `step` of a metric is the task's place in the order of publication;
    the average comes last. `record` is all of it as JSON; `files` are samples of public tasks by name."""

    run_id: int
    name: str
    experiment: str
    status: str
    fingerprint: str
    started: datetime
    ended: datetime | None
    params: dict[str, str]
    metrics: list[Metric]
    tags: dict[str, str]
    record: dict[str, Any]
    files: dict[str, Artifact] = field(default_factory=dict)

    def summary(self) -> dict[str, float]:
        return {metric.key: metric.value for metric in self.metrics}

    def history(self) -> list[dict[str, Any]]:
        """A row per step: `_step`, `_timestamp` in seconds, and what became known with it."""
        rows: dict[int, dict[str, Any]] = {}
        for metric in self.metrics:
            row = rows.setdefault(metric.step, {"_step": metric.step, "_timestamp": metric.at.timestamp()})
            row[metric.key] = metric.value
        return list(rows.values())


def read(run: EvaluationRun, *, with_samples: bool = False) -> RunExport:
    """The export of a run as it stands; `with_samples` adds the items of tasks that are not private."""
    page, known = run_page.read(run), provenance(run)
    related = TaskResult.objects.filter(run=run).select_related("task__benchmark", "artifact").defer("item_scores")
    results = list(related.order_by("published_at", "pk"))
    metrics = [metric for step, result in enumerate(results) for metric in _metrics(result, step)]
    ended = run.finished_at
    average, last = page.average, max((result.published_at for result in results), default=run.created_at)
    metrics += _numbers({"average": average.value, "average_stderr": average.stderr}, ended or last, len(results))
    texts = {key: for_the_public(value) for key, value in _flat({k: v for k, v in known.items() if k != "worker"})}
    return RunExport(
        run_id=run.pk,
        name=f"run {run.pk}: {run.revision.slug}",
        experiment=str(run.suite),
        status=run.status,
        fingerprint=run.fingerprint,
        started=run.started_at or run.created_at,
        ended=ended,
        params=texts,
        metrics=metrics,
        tags=_tags(run, results),
        record={"run": run.pk, "status": run.status, "params": texts, "tasks": [_task(result) for result in results]},
        files=_files(results) if with_samples else {},
    )


def _metrics(result: TaskResult, step: int) -> Iterator[Metric]:
    """`task/metric`, `task/metric_stderr` and the counts of one task."""
    values: dict[str, Any] = {result.task.metric: result.value, f"{result.task.metric}_stderr": result.stderr}
    for name, metric in result.metrics.items():
        values |= {name: metric["value"], f"{name}_stderr": metric["stderr"]}
    values |= {name: getattr(result, name) for name in COUNTS}
    return _numbers({f"{result.task.name}/{name}": v for name, v in values.items()}, result.published_at, step)


def _numbers(values: Mapping[str, float | None], at: datetime, step: int) -> Iterator[Metric]:
    for key, value in values.items():
        if value is not None and math.isfinite(value):
            yield Metric(key, value, at, step)


def _task(result: TaskResult) -> dict[str, Any]:
    known = {metric.key.split("/", 1)[1]: metric.value for metric in _metrics(result, 0)}
    hashes = {"config_sha": result.task.config_sha, "task_hash": result.task_hash,
              "dataset_fingerprint": result.dataset_fingerprint}  # fmt: skip
    return {"task": result.task.name, "metric": result.task.metric, **known, **{k: v for k, v in hashes.items() if v}}


def _tags(run: EvaluationRun, results: list[TaskResult]) -> dict[str, str]:
    tags = {
        "gyeoru.run": str(run.pk),
        "gyeoru.status": run.status,
        "gyeoru.model": run.revision.language_model.slug,
        "gyeoru.rerun_of": str(run.rerun_of_id or ""),
        "gyeoru.error_kind": run.error_kind,
        "gyeoru.imported": "yes" if run.is_imported else "",
        "gyeoru.trial": "yes" if run.settings.get("limit") else "",
        "gyeoru.withdrawn": "yes" if run.withdrawn_at else "",
        "gyeoru.private": "yes" if any(result.task.benchmark.is_private for result in results) else "",
    }
    return {key: value for key, value in tags.items() if value}


def _files(results: list[TaskResult]) -> dict[str, Artifact]:
    return {
        f"samples/{result.task.name}.jsonl": result.artifact
        for result in results
        if hasattr(result, "artifact") and not result.task.benchmark.is_private
    }


def _flat(value: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """Nested names joined by dots; lists as JSON; nothing for what is not known."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(part, f"{before}.{key}" if before else str(key))
    elif value not in (None, ""):
        yield before, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
