"""Reports of the evaluation child become rows: one task, one transaction, and never from a fenced attempt."""

from __future__ import annotations

import hashlib
import json
import math
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction

from runners import runs
from runners.models import Artifact, EvaluationRun, Sample, Task, TaskResult
from runners.reports import SampleReport, TaskReport

CLIP = 300


class Fenced(Exception):
    """This attempt was given up and another may be running: nothing was written."""


@dataclass(frozen=True)
class StoredFile:
    """A file in the artifact storage: its name there, sha256 and size in bytes."""

    name: str
    sha256: str
    size: int


def keep_file(run_id: int, path: Path) -> StoredFile:
    """Copies a file of a run into the artifact storage, under a name that holds its own hash."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(1 << 20):
            digest.update(block)
        name = f"runs/{run_id}/{path.stem}.{digest.hexdigest()[:12]}{path.suffix}"
        if not default_storage.exists(name):
            source.seek(0)
            name = default_storage.save(name, File(source))
    return StoredFile(name, digest.hexdigest(), path.stat().st_size)


def store_task(claim: runs.Claim, task: Task, report: TaskReport, samples: Path) -> TaskResult:
    """Publishes one finished task of a running attempt: result, samples and file in one transaction.

    A task that an earlier attempt published already is left as it is. Raises Fenced.
    """
    stored = keep_file(claim.run_id, samples)
    with transaction.atomic():
        if not runs.beat(claim):
            raise Fenced(f"attempt {claim.attempt} of run {claim.run_id} was given up")
        known = TaskResult.objects.filter(run_id=claim.run_id, task=task).first()
        if known is not None:
            return known
        run = EvaluationRun.objects.get(pk=claim.run_id)
        return store_result(run, task, report, samples, stored)


def store_result(run: EvaluationRun, task: Task, report: TaskReport, samples: Path, stored: StoredFile) -> TaskResult:
    """The rows of one task; called inside a transaction by whoever holds the run (an attempt or an import)."""
    main = report.metrics[report.metric]
    result = TaskResult.objects.create(
        run=run,
        task=task,
        value=main.value,
        stderr=main.stderr,
        n_docs=report.n_docs,
        n_scored=report.n_scored,
        n_failed=report.n_failed,
        n_no_answer=report.n_no_answer,
        n_truncated=report.n_truncated,
        metrics={name: {"value": m.value, "stderr": m.stderr} for name, m in report.metrics.items()},
        seconds=report.seconds,
        prompt_tokens=report.prompt_tokens,
        completion_tokens=report.completion_tokens,
        task_hash=report.task_hash,
        dataset_fingerprint=report.dataset_fingerprint,
        item_scores=pack_item_scores(sample for _, sample in read_samples(samples)),
    )
    Artifact.objects.create(
        run=run, result=result, kind="samples", path=stored.name, sha256=stored.sha256, size=stored.size
    )
    Sample.objects.bulk_create((_row(result, *item) for item in read_samples(samples)), batch_size=500)
    if task.n_docs is None and not run.settings.get("limit"):
        Task.objects.filter(pk=task.pk, n_docs=None).update(n_docs=report.n_docs)
    runs.touch("boards")
    return result


def pack_item_scores(samples: Iterable[SampleReport]) -> bytes:
    """Scores by item in doc order for paired comparisons: float32 little-endian, NaN where there is none, zlib."""
    ordered = sorted((sample.doc_id, sample.correct) for sample in samples)
    packed = array("f", (math.nan if correct is None else correct for _, correct in ordered))
    if sys.byteorder == "big":
        packed.byteswap()
    return zlib.compress(packed.tobytes())


def read_samples(path: Path) -> Iterator[tuple[int, SampleReport]]:
    """(byte offset, sample) of each line of a samples file."""
    offset = 0
    with path.open("rb") as file:
        for line in file:
            yield offset, SampleReport.from_dict(json.loads(line))
            offset += len(line)


def full_sample(sample: Sample) -> SampleReport:
    """The item with its whole prompt and reply, read from the artifact at its offset."""
    artifact = sample.result.artifact
    with default_storage.open(artifact.path, "rb") as file:
        file.seek(sample.offset)
        return SampleReport.from_dict(json.loads(file.readline()))


def _row(result: TaskResult, offset: int, report: SampleReport) -> Sample:
    return Sample(
        result=result,
        doc_id=report.doc_id,
        item_id=report.item_id,
        status=report.status,
        correct=report.correct,
        extracted=None if report.extracted is None else _clip(report.extracted),
        target=_clip(report.target),
        metrics=report.metrics,
        finish_reason=report.finish_reason or "",
        doc_hash=report.doc_hash,
        prompt_hash=report.prompt_hash,
        target_hash=report.target_hash,
        offset=offset,
    )


def _clip(text: str) -> str:
    """`text` as a column takes it; PostgreSQL refuses NUL, which models do write."""
    return text.replace("\0", "\ufffd")[:CLIP]
