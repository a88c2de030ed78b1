"""lm-eval's own output becomes a finished run, marked as imported.

Everything is read, compared with the suite and written to files of ours before the first row; the rows are one
transaction. What is wrong is told all at once (`ImportRefused.problems`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from runners import record
from runners.child.samples import metrics_of, number
from runners.child.scoring import summarise
from runners.harness_files import Problem, ResultsFile, TaskOutput, read
from runners.harness_samples import sample_report
from runners.models import EvaluationRun, ModelRevision, Suite, Task, TaskResult
from runners.reports import Metric, SampleReport, TaskReport

# How far the mean of the samples may be from the results file's value.
TOLERANCE = 1e-6
GENERATION = "generate_until"


class ImportRefused(Exception):
    """Nothing was written; `problems` name file, line and what to change."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Imported:
    """The run, its tasks in order, and what its reader should know (missing samples, fewer items, missing tasks)."""

    run: EvaluationRun
    tasks: list[str]
    notes: list[str]


@dataclass(frozen=True)
class _Ready:
    """One task, checked: its report and its samples in our form (an empty file where there are none)."""

    task: Task
    report: TaskReport
    samples: Path
    has_item_scores: bool


@dataclass
class _Reading:
    """What has been found out so far."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_harness(path: Path, revision: ModelRevision, suite: Suite, *, skip_unknown: bool = False) -> Imported:
    """Takes a folder or a results file of lm-eval as a run of `suite` on `revision`.

    Tasks are matched by name; with `skip_unknown` those that the suite does not have are left out instead of refused.
    Raises ImportRefused.
    """
    reading = _Reading()
    outputs, reading.problems = read(path)
    tasks = {task.name: task for task in suite.tasks.order_by("suite_tasks__order")}
    outputs = _known(outputs, tasks, suite, reading, skip_unknown=skip_unknown)
    files = list({output.file.path: output.file for output in outputs}.values())
    for file in files:
        reading.problems += _wrong_file(file, revision, suite)
    with tempfile.TemporaryDirectory() as folder:
        ready = []
        for output in sorted(outputs, key=lambda output: list(tasks).index(output.name)):
            one = _prepare(output, tasks[output.name], Path(folder), reading)
            ready += [one] if one is not None else []
        if reading.problems:
            raise ImportRefused(reading.problems)
        if len(ready) < len(tasks):
            reading.notes.append(f"{len(ready)} of the {len(tasks)} tasks of {suite} are here.")
        run = _write(revision, suite, files, ready)
    return Imported(run, [one.task.name for one in ready], reading.notes)


def _known(
    outputs: list[TaskOutput], tasks: dict[str, Task], suite: Suite, reading: _Reading, *, skip_unknown: bool
) -> list[TaskOutput]:
    """The outputs that the suite has a task for."""
    strange = [output for output in outputs if output.name not in tasks]
    for output in strange:
        if skip_unknown:
            reading.notes.append(f"{output.name} is no task of {suite} and was left out.")
        else:
            text = (
                f"{output.name} is no task of {suite}, which has {', '.join(tasks)}. Name another suite, or leave such "
                "tasks out with --skip-unknown."
            )
            reading.problems.append(Problem(output.file.path, None, text))
    known = [output for output in outputs if output.name in tasks]
    if strange and not known and skip_unknown:
        reading.problems.append(Problem(strange[0].file.path, None, f"has no task of {suite}."))
    return known


def _wrong_file(file: ResultsFile, revision: ModelRevision, suite: Suite) -> list[Problem]:
    """A file that was imported before, or that says it is of another commit of the model."""
    found = []
    earlier = EvaluationRun.objects.published().filter(is_imported=True, suite__slug=suite.slug)
    for run in earlier.select_related("revision").order_by("pk"):
        if file.sha256 in run.environment.get("imported", {}).values():
            text = f"was imported already: it is run {run.pk} of {run.revision}. Withdraw that run to import it anew."
            found.append(Problem(file.path, None, text))
    config = file.raw.get("config")
    sha = config.get("model_sha") if isinstance(config, dict) else None
    if sha and revision.commit_sha and sha != revision.commit_sha:
        text = f"was made with commit {sha}, and {revision} is {revision.commit_sha}: name the revision of that commit."
        found.append(Problem(file.path, None, text))
    return found


def _prepare(output: TaskOutput, task: Task, folder: Path, reading: _Reading) -> _Ready | None:
    """A task's report and samples file, or None with its problems told."""
    before = len(reading.problems)
    reading.problems += _unlike(output, task)
    if not output.is_ours:
        reading.notes.append(f"{task.name} was evaluated by another definition of that name; its prompts may differ.")
    samples = folder / f"{task.name}.samples.jsonl"
    reports: list[SampleReport] = []
    found: dict[str, Metric] = {}
    if output.samples is None:
        reading.notes.append(f"{task.name} has no samples file: its value can't be opened down to the items.")
        samples.touch()
    else:
        reports, found = _read_samples(output, task, samples, reading)
    if len(reading.problems) > before:
        return None
    metrics = metrics_of(output.row, found)
    n_docs = len(reports) or output.n_effective or 0
    status = Counter(report.status for report in reports)
    n_scored = n_docs - status["error"]
    if n_scored and (task.metric not in metrics or metrics[task.metric].value is None):
        names = ", ".join(name for name, metric in metrics.items() if metric.value is not None)
        text = f"gives no value of {task.metric} for {task.name} (it has {names or 'none'}): evaluate it again."
        reading.problems.append(Problem(output.file.path, None, text))
        return None
    report = _report(output, task, metrics if n_scored else {task.metric: Metric(None, None)}, n_docs, reports)
    if task.n_docs is not None and n_docs < task.n_docs:
        reading.notes.append(f"{task.name} was asked {n_docs} of its {task.n_docs} items.")
    whole = bool(reports) and all(r.correct is not None or r.status == "error" for r in reports)
    return _Ready(task, report, samples, has_item_scores=whole)


def _unlike(output: TaskOutput, task: Task) -> list[Problem]:
    """Ways in which the output is of another task that only has the same name."""
    texts = []
    if output.shots is not None and output.shots != task.num_fewshot:
        texts.append(f"{task.name} was run with {output.shots} shots, the suite's has {task.num_fewshot}.")
    if output.n_original is not None and task.n_docs is not None and output.n_original != task.n_docs:
        texts.append(f"{task.name} has {output.n_original} items there and {task.n_docs} in the suite: another set.")
    if output.output_type and (output.output_type == GENERATION) != (task.mode == Task.Mode.GENERATE):
        texts.append(f"{task.name} was scored by {output.output_type}, the suite's by {task.mode}: another task.")
    if output.n_effective is None and output.samples is None:
        texts.append(f'{task.name} tells no number of items ("n-samples") and has no samples file: add the latter.')
    return [Problem(output.file.path, None, text) for text in texts]


def _read_samples(
    output: TaskOutput, task: Task, target: Path, reading: _Reading
) -> tuple[list[SampleReport], dict[str, Metric]]:
    """Writes the samples in our form, in the items' order; gives them without their texts, and their metrics."""
    assert output.samples is not None
    lines: dict[int, str] = {}
    reports, scores = [], []
    for line, row in output.rows():
        try:
            if isinstance(row, ValueError):
                raise ValueError(f"is not whole JSON ({row}): copy the file again, it may be cut off.")
            report = sample_report(row, task.metric, likelihood=task.mode == Task.Mode.LIKELIHOOD)
            if report.doc_id in lines:
                raise ValueError(f"is doc_id {report.doc_id} once more: keep one line an item.")
        except ValueError as error:
            reading.problems.append(Problem(output.samples, line, str(error)))
            continue
        lines[report.doc_id] = report.to_json()
        reports.append(dataclasses.replace(report, prompt="", reply=""))
        names = [name for name in row["metrics"] if name in row] if report.status != "error" else []
        scores.append({"metrics": names, **{name: row[name] for name in names}})
    if output.n_effective is not None and len(reports) != output.n_effective and not reading.problems:
        text = f"has {len(reports)} items, the results file counts {output.n_effective}: copy the file again."
        reading.problems.append(Problem(output.samples, None, text))
    with target.open("w", encoding="utf-8", errors="surrogatepass") as file:
        file.writelines(f"{lines[doc_id]}\n" for doc_id in sorted(lines))
    found = _summary(scores)
    reading.problems += _disagreement(output, task, found)
    return reports, found


def _summary(scores: list[dict[str, Any]]) -> dict[str, Metric]:
    """The metrics of the samples; what is neither a number per item nor a (gold, chosen) pair is left out."""
    kept = []
    for row in scores:
        good = [name for name in row["metrics"] if name == "f1" or number(row[name]) is not None]
        kept.append({**row, "metrics": good})
    try:
        return summarise(kept)
    except (TypeError, ValueError):
        return summarise([{**row, "metrics": [name for name in row["metrics"] if name != "f1"]} for row in kept])


def _disagreement(output: TaskOutput, task: Task, found: dict[str, Metric]) -> list[Problem]:
    """Where the samples' mean is not the value that the results file gives, they are of different runs."""
    told = metrics_of(output.row, {}).get(task.metric, Metric(None, None)).value
    counted = found[task.metric].value if task.metric in found and task.metric != "f1" else None
    if told is None or counted is None or abs(told - counted) <= TOLERANCE:
        return []
    assert output.samples is not None
    text = f"comes to {task.metric} = {counted:.6g}, {output.file.path.name} says {told:.6g}: they are of two runs."
    return [Problem(output.samples, None, text)]


def _report(
    output: TaskOutput, task: Task, metrics: dict[str, Metric], n_docs: int, reports: list[SampleReport]
) -> TaskReport:
    status = Counter(report.status for report in reports)
    share = metrics["no_answer"].value if "no_answer" in metrics and not reports else None
    hashes = output.file.raw.get("task_hashes")
    return TaskReport(
        task=task.name,
        metric=task.metric,
        metrics=metrics,
        n_docs=n_docs,
        n_scored=n_docs - status["error"],
        n_failed=status["error"],
        n_no_answer=round(share * n_docs) if share is not None else status["no_answer"],
        n_truncated=0,
        seconds=0.0,
        config_sha=task.config_sha,
        dataset_fingerprint="",
        task_hash=str(hashes.get(output.name, ""))[:64] if isinstance(hashes, dict) else "",
    )


def _write(revision: ModelRevision, suite: Suite, files: list[ResultsFile], ready: list[_Ready]) -> EvaluationRun:
    """Run, results and samples in one transaction; files that were kept for it go where it fails."""
    kept: list[str] = []
    try:
        with transaction.atomic():
            run = _run(revision, suite, files, sum(one.report.n_docs for one in ready))
            for one in ready:
                stored = record.keep_file(run.pk, one.samples)
                kept.append(stored.name)
                result = record.store_result(run, one.task, one.report, one.samples, stored)
                _unknown(result, one)
            ModelRevision.objects.filter(pk=revision.pk, frozen_at=None).update(frozen_at=timezone.now())
    except BaseException:
        for name in kept:
            default_storage.delete(name)
        raise
    return run


def _unknown(result: TaskResult, one: _Ready) -> None:
    """What an import does not know is NULL: how long it took, and the items' scores where there are none."""
    TaskResult.objects.filter(pk=result.pk).update(
        seconds=None, **({} if one.has_item_scores else {"item_scores": None})
    )
    if not one.samples.stat().st_size:
        default_storage.delete(result.artifact.path)
        result.artifact.delete()


def _run(revision: ModelRevision, suite: Suite, files: list[ResultsFile], n_items: int) -> EvaluationRun:
    imported = {file.path.name: file.sha256 for file in files}
    identity = json.dumps([revision.slug, suite.slug, suite.version, sorted(imported.values())])
    begun, ended = files[0].times()
    return EvaluationRun.objects.create(
        revision=revision,
        suite=suite,
        status=EvaluationRun.Status.FINISHED,
        lane=revision.lane,
        fingerprint=hashlib.sha256(identity.encode()).hexdigest(),
        environment={"engine": "lm-eval", "imported": imported, **files[0].facts()},
        is_imported=True,
        progress_done=n_items,
        progress_total=n_items,
        started_at=begun,
        finished_at=ended or timezone.now(),
    )
