"""What came out: a value per task with its error bar, a row per item, and the files that hold the full texts."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from runners.models.benchmarks import Task
from runners.models.runs import EvaluationRun


class TaskResult(models.Model):
    """One task of one run. `value` is NULL exactly when nothing was scored: missing is never zero."""

    run = models.ForeignKey(EvaluationRun, models.CASCADE, related_name="results")
    task = models.ForeignKey(Task, models.PROTECT, related_name="results")
    value = models.FloatField(null=True)
    stderr = models.FloatField(null=True)
    n_docs = models.PositiveIntegerField()
    n_scored = models.PositiveIntegerField()
    n_failed = models.PositiveIntegerField(default=0)
    n_no_answer = models.PositiveIntegerField(default=0)
    n_truncated = models.PositiveIntegerField(default=0)
    metrics = models.JSONField(default=dict, help_text="every metric: {name: {value, stderr}}")
    item_scores = models.BinaryField(
        null=True,
        help_text="zlib of float32 LE per item in doc order, NaN where there is no score; see record",
    )
    seconds = models.FloatField(null=True)
    prompt_tokens = models.PositiveBigIntegerField(null=True)
    completion_tokens = models.PositiveBigIntegerField(null=True)
    task_hash = models.CharField(max_length=64, blank=True)
    dataset_fingerprint = models.CharField(max_length=200, blank=True)
    published_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "task"], name="one_result_per_run_and_task"),
            models.CheckConstraint(
                condition=Q(value__isnull=True, n_scored=0) | Q(value__isnull=False, n_scored__gt=0),
                name="a_value_is_missing_exactly_when_nothing_was_scored",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.task_id}={self.value}"


class Sample(models.Model):
    """One item as asked and answered; prompt and reply stand in the result's artifact at `offset`."""

    class Status(models.TextChoices):
        SCORED = "scored", _("scored")
        NO_ANSWER = "no_answer", _("no answer found")
        ERROR = "error", _("request failed")

    result = models.ForeignKey(TaskResult, models.CASCADE, related_name="samples")
    doc_id = models.PositiveIntegerField()
    item_id = models.CharField(max_length=120)
    status = models.CharField(max_length=10, choices=Status.choices)
    correct = models.FloatField(null=True)
    extracted = models.CharField(max_length=300, null=True)  # noqa: DJ001 - no answer is not the empty answer
    target = models.CharField(max_length=300)
    metrics = models.JSONField(default=dict)
    finish_reason = models.CharField(max_length=20, blank=True)
    doc_hash = models.CharField(max_length=64, blank=True)
    prompt_hash = models.CharField(max_length=64, blank=True)
    target_hash = models.CharField(max_length=64, blank=True)
    offset = models.PositiveBigIntegerField(help_text="byte offset of this item's line in the artifact")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["result", "doc_id"], name="each_item_once_per_result")]
        indexes = [models.Index(fields=["item_id"], name="sample_item")]

    def __str__(self) -> str:
        return f"{self.result_id}#{self.doc_id}"


class Artifact(models.Model):
    """A file a run left: the samples of a task, the log of an attempt, an imported harness folder."""

    run = models.ForeignKey(EvaluationRun, models.CASCADE, related_name="artifacts")
    result = models.OneToOneField(TaskResult, models.CASCADE, null=True, related_name="artifact")
    kind = models.CharField(max_length=12, help_text="samples or log")
    path = models.CharField(max_length=300, help_text="name in the artifact storage")
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return self.path
