"""Runs that failed for one cause, with what they had answered until then; called inside a site's own process."""

from __future__ import annotations

import zlib
from array import array

from django.contrib.auth.models import User
from django.utils import timezone

from runners.models import Artifact, EvaluationRun, Sample, TaskResult

WORKER, KIND = "gpu-g2", "does_not_fit"
LOG = "batch 1: CUDA out of memory\nThe model does not fit."


def operator(name: str, password: str) -> None:
    User.objects.create_superuser(name, password=password)


def copies(run_id: int, n: int) -> None:
    """`n` failed runs like the finished run `run_id`, each with a seed of its own; of its first task each has the
    answers of that run, the first two of them the other way round.
    """
    whole = EvaluationRun.objects.select_related("revision", "suite").get(pk=run_id)
    result = whole.results.order_by("pk").first()
    assert result is not None
    for seed in range(n):
        failed = EvaluationRun.objects.create(
            revision=whole.revision, suite=whole.suite, status="failed", lane=whole.lane,
            fingerprint=f"{seed:064}", settings={**whole.settings, "seed": 1000 + seed}, attempt=1, worker=WORKER,
            error_kind=KIND, error_text="CUDA out of memory", log_tail=LOG, started_at=timezone.now(),
            finished_at=timezone.now(),
        )  # fmt: skip
        _copy(result, failed)


def _copy(result: TaskResult, failed: EvaluationRun) -> None:
    scores = array("f", zlib.decompress(bytes(result.item_scores or b"")))
    for at in (0, 1):
        scores[at] = 1.0 - scores[at]
    samples, artifact = list(Sample.objects.filter(result=result)), Artifact.objects.get(result=result)
    copied = TaskResult.objects.get(pk=result.pk)
    copied.pk, copied.run, copied.item_scores = None, failed, zlib.compress(scores.tobytes())
    copied.save()
    artifact.pk, artifact.run, artifact.result = None, failed, copied
    artifact.save()
    for sample in samples:
        sample.pk, sample.result, sample.correct = None, copied, float(scores[sample.doc_id])
        sample.status = "scored"
    Sample.objects.bulk_create(samples)
