"""What operators must know: one row per thing that went wrong, from when it was seen until it was well again."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from runners.models.language_models import ModelRevision


class Alarm(models.Model):
    """One trouble. At most one is open per kind and key; `told_at` is when mail and webhooks took the message.

    A row of kind model_drift is also the mark on its revision's timeline: `about_at` is when the change began,
    `figures` its size with the interval. It ends when the canary is back within its noise, or when staff takes the new
    level for normal (`accepted_at`), from which day on the watch compares with that.
    """

    class Kind(models.TextChoices):
        QUEUE_STALLED = "queue_stalled", _("queue stalled")
        WORKER_LOST = "worker_lost", _("worker lost")
        RUN_FAILED = "run_failed", _("runs failed")
        BUDGET = "budget", _("budget near its cap")
        JUDGE_DRIFT = "judge_drift", _("judge drifting")
        MODEL_DRIFT = "model_drift", _("model changed behind its name")

    kind = models.CharField(max_length=16, choices=Kind.choices)
    key = models.CharField(max_length=260, help_text="a lane, a worker, an error kind, a budget, a revision")
    text = models.TextField()
    revision = models.ForeignKey(ModelRevision, models.CASCADE, null=True, blank=True, related_name="alarms")
    about_at = models.DateTimeField(null=True, blank=True)
    figures = models.JSONField(default=dict, blank=True, help_text="of a drift: runners.canary.Found.figures")
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_reason = models.TextField(blank=True)
    raised_at = models.DateTimeField(default=timezone.now)
    told_at = models.DateTimeField(null=True, blank=True)
    cleared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-raised_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"], condition=Q(cleared_at=None), name="one_open_alarm_per_kind_and_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
