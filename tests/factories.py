"""Rows for tests, as the product would write them: results go through `runners.record` with a real samples file."""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from runners import record
from runners.models import (
    Artifact,
    Benchmark,
    Endpoint,
    EvaluationRun,
    LanguageModel,
    ModelRevision,
    Suite,
    SuiteTask,
    Task,
    TaskResult,
    Worker,
)
from runners.reports import Metric, SampleReport, TaskReport

_numbers = itertools.count(1)
# A score of an item, None where its request failed, "no_answer" where nothing could be extracted.
Score = float | None | str


def make_language_model(slug: str = "", **fields: Any) -> LanguageModel:
    """An open model unless `kind` says otherwise."""
    slug = slug or f"maker/model-{next(_numbers)}"
    defaults = {
        "name": slug.split("/")[-1],
        "organization": slug.split("/")[0],
        "kind": LanguageModel.Kind.OPEN,
        "tuning": LanguageModel.Tuning.INSTRUCT,
        "licence": "apache-2.0",
        "n_parameters": 7_000_000_000,
    }
    return LanguageModel.objects.create(slug=slug, **{**defaults, **fields})


def make_endpoint(slug: str = "", **fields: Any) -> Endpoint:
    slug = slug or f"endpoint-{next(_numbers)}"
    defaults = {"base_url": "http://localhost:9/v1", "served_name": slug, "purposes": ["harness"]}
    return Endpoint.objects.create(slug=slug, **{**defaults, **fields})


def make_revision(language_model: LanguageModel | str | None = None, **fields: Any) -> ModelRevision:
    """A Hub revision (backend hf) at a made-up commit; `language_model` may be a slug to make one of."""
    if not isinstance(language_model, LanguageModel):
        language_model = make_language_model(language_model or "")
    number = next(_numbers)
    sha = f"{number:040x}"
    defaults: dict[str, Any] = {"slug": f"{language_model.slug}@{number:08x}", "backend": ModelRevision.Backend.HF}
    if fields.get("backend", "hf") in ("hf", "vllm"):
        defaults |= {"hub_id": language_model.slug, "commit_sha": sha, "dtype": "bfloat16", "has_chat_template": True}
    return ModelRevision.objects.create(language_model=language_model, **{**defaults, **fields})


def make_benchmark(slug: str = "", **fields: Any) -> Benchmark:
    slug = slug or f"benchmark-{next(_numbers)}"
    defaults = {
        "title_ko": f"{slug} 평가",
        "title_en": f"{slug} test",
        "source": "Somebody 2024",
        "licence": "CC BY 4.0",
    }
    return Benchmark.objects.create(slug=slug, **{**defaults, **fields})


def make_task(name: str = "", benchmark: Benchmark | None = None, **fields: Any) -> Task:
    """A generation task unless `mode` says otherwise."""
    name = name or f"task_{next(_numbers)}_gen"
    defaults: dict[str, Any] = {
        "config_sha": f"{next(_numbers):064x}",
        "mode": Task.Mode.GENERATE,
        "title_ko": f"{name} 과제",
        "title_en": f"{name} task",
        "dataset_source": "bundled",
        "dataset_name": name.removesuffix("_gen"),
        "metric": "acc",
        "chance_level": 0.25,
    }
    return Task.objects.create(benchmark=benchmark or make_benchmark(), name=name, **{**defaults, **fields})


def make_suite(slug: str = "", tasks: Iterable[Task] | int = 1, **fields: Any) -> Suite:
    """A published suite of the given tasks, or of so many new ones."""
    slug = slug or f"suite-{next(_numbers)}"
    defaults: dict[str, Any] = {
        "version": 1,
        "kind": Suite.Kind.ZERO_SHOT,
        "title_ko": f"{slug} 모음",
        "title_en": f"{slug} suite",
        "description_ko": "한국어를 잽니다.",
        "description_en": "It measures Korean.",
        "published_at": timezone.now(),
    }
    suite = Suite.objects.create(slug=slug, **{**defaults, **fields})
    chosen = [make_task() for _ in range(tasks)] if isinstance(tasks, int) else list(tasks)
    for order, task in enumerate(chosen):
        SuiteTask.objects.create(suite=suite, task=task, order=order, group_ko="묶음", group_en="Group")
    return suite


def make_run(
    revision: ModelRevision | None = None, suite: Suite | None = None, status: str = "queued", **fields: Any
) -> EvaluationRun:
    """A run in any status, with what that status requires: a lease when it runs, a reason when it failed."""
    revision = revision or make_revision()
    now = timezone.now()
    defaults: dict[str, Any] = {"fingerprint": f"{next(_numbers):064x}", "lane": revision.lane, "status": status}
    if status != "queued":
        defaults |= {"attempt": 1, "started_at": now - timedelta(minutes=5), "worker": "worker-1"}
    if status == "running":
        defaults |= {"token": "0" * 32, "lease_until": now + timedelta(minutes=2), "heartbeat_at": now}
        defaults |= {"progress_done": 10, "progress_total": 40, "stage": "loading"}
    if status in ("finished", "failed", "cancelled"):
        defaults["finished_at"] = now
    if status == "failed":
        defaults |= {"error_kind": "endpoint_down", "error_text": "The server refused the connection."}
    return EvaluationRun.objects.create(revision=revision, suite=suite or make_suite(), **{**defaults, **fields})


def make_samples(scores: Sequence[Score], **fields: Any) -> list[SampleReport]:
    """One item per score, with ids item-0, item-1, …; `fields` go into each of them."""
    return [_sample(number, score, fields) for number, score in enumerate(scores)]


def make_result(
    run: EvaluationRun,
    task: Task,
    scores: Sequence[Score] = (1.0, 0.0, 1.0, "no_answer"),
    *,
    samples: Sequence[SampleReport] | None = None,
    **fields: Any,
) -> TaskResult:
    """A published task of a run: the result, a sample row per score and the samples file in the artifact storage."""
    reports = list(samples) if samples is not None else make_samples(scores)
    known = [sample.correct for sample in reports if sample.correct is not None]
    mean = math.fsum(known) / len(known) if known else None
    spread = math.fsum((score - mean) ** 2 for score in known) if mean is not None else 0.0
    stderr = math.sqrt(spread / (len(known) - 1) / len(known)) if len(known) > 1 else None
    report = TaskReport(
        task=task.name,
        metric=task.metric,
        metrics={task.metric: Metric(mean, stderr)},
        n_docs=len(reports),
        n_scored=len(known),
        n_failed=sum(sample.status == "error" for sample in reports),
        n_no_answer=sum(sample.status == "no_answer" for sample in reports),
        n_truncated=sum(sample.finish_reason == "length" for sample in reports),
        seconds=len(reports) * 0.5,
        config_sha=task.config_sha,
        dataset_fingerprint="f" * 16,
        task_hash="a" * 16,
        prompt_tokens=10 * len(reports),
        completion_tokens=3 * len(reports),
    )
    with tempfile.TemporaryDirectory() as folder, transaction.atomic():
        path = Path(folder) / f"{task.name}.samples.jsonl"
        path.write_text("".join(f"{sample.to_json()}\n" for sample in reports))
        result = record.store_result(run, task, report, path, record.keep_file(run.pk, path))
    if fields:
        TaskResult.objects.filter(pk=result.pk).update(**fields)
        result.refresh_from_db()
    return result


def make_finished_run(
    revision: ModelRevision | None = None,
    suite: Suite | None = None,
    scores: Mapping[str, Sequence[Score]] | None = None,
    **fields: Any,
) -> EvaluationRun:
    """A finished run with a result for every task of its suite, or for those that `scores` names."""
    run = make_run(revision, suite, "finished", **fields)
    for task in run.suite.tasks.order_by("suite_tasks__order"):
        if scores is None:
            make_result(run, task)
        elif task.name in scores:
            make_result(run, task, scores[task.name])
    return run


def make_worker(name: str = "", **fields: Any) -> Worker:
    name = name or f"worker-{next(_numbers)}"
    defaults = {"lane": "eval", "host": "host", "pid": 100, "version": "0.1.0"}
    return Worker.objects.create(name=name, **{**defaults, **fields})


def make_artifact(run: EvaluationRun, **fields: Any) -> Artifact:
    """A file's row without the file."""
    defaults = {"kind": "log", "path": f"runs/{run.pk}/log.txt", "sha256": "0" * 64, "size": 10}
    return Artifact.objects.create(run=run, **{**defaults, **fields})


def _sample(number: int, score: Score, fields: Mapping[str, Any]) -> SampleReport:
    status = "error" if score is None else "no_answer" if score == "no_answer" else "scored"
    correct = None if score is None else 0.0 if score == "no_answer" else float(score)
    values: dict[str, Any] = {
        "doc_id": number,
        "item_id": f"item-{number}",
        "status": status,
        "prompt": f"질문 {number}번입니다. 알맞은 답을 고르세요.\nA. 가\nB. 나\nC. 다\nD. 라\n답:",
        "reply": {"error": "", "no_answer": "잘 모르겠습니다."}.get(
            status, "정답은 A입니다." if correct else "정답은 B입니다."
        ),
        "extracted": None if status != "scored" else "A" if correct else "B",
        "target": "A",
        "correct": correct,
        "metrics": {} if correct is None else {"acc": correct},
        "finish_reason": None if status == "error" else "stop",
        "error": "no answer from the model" if status == "error" else None,
        "doc_hash": f"{number:064x}",
        "prompt_hash": f"{number + 1:064x}",
        "target_hash": f"{number + 2:064x}",
    }
    return SampleReport(**{**values, **fields})
