"""What was run: one row per evaluation, the workers that run them, and the counter that makes boards new."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from runners.models.benchmarks import Suite
from runners.models.language_models import ModelRevision

ACTIVE = ("queued", "running", "judging")


class EvaluationRunQuerySet(models.QuerySet["EvaluationRun"]):
    """Reads, named for the pages and processes that ask."""

    def active(self) -> EvaluationRunQuerySet:
        return self.filter(status__in=ACTIVE)

    def published(self) -> EvaluationRunQuerySet:
        """Runs whose results a board may show: begun, neither withdrawn nor cancelled."""
        return self.filter(withdrawn_at=None).exclude(status="cancelled")

    def in_line(self, lane: str) -> EvaluationRunQuerySet:
        """Waiting runs of a lane in the order they will be claimed."""
        return self.filter(status="queued", lane=lane).order_by("-priority", "created_at", "id")

    def for_host(self, host: str) -> EvaluationRunQuerySet:
        """Runs that a worker on `host` may take: those that are bound to it or to no machine."""
        return self.filter(only_host__in=("", host))

    def expired(self) -> EvaluationRunQuerySet:
        return self.filter(status="running", lease_until__lt=timezone.now())

    def unhinted(self, before: datetime) -> EvaluationRunQuerySet:
        """Waiting runs that are due and whose last hint to the queue is older than `before`."""
        due = Q(not_before=None) | Q(not_before__lte=timezone.now())
        return self.filter(due, status="queued").filter(Q(hinted_at=None) | Q(hinted_at__lt=before))


class EvaluationRun(models.Model):
    """One suite run on one revision. Status changes happen in `runners.runs` alone, by conditional UPDATE."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        JUDGING = "judging", _("being judged")
        FINISHED = "finished", _("finished")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    revision = models.ForeignKey(ModelRevision, models.PROTECT, related_name="runs")
    suite = models.ForeignKey(Suite, models.PROTECT, related_name="runs")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    lane = models.CharField(max_length=12, default="eval")
    priority = models.SmallIntegerField(default=0)
    fingerprint = models.CharField(max_length=64)
    settings = models.JSONField(default=dict, help_text="seeds, limit, shots, batch size, generation settings")
    environment = models.JSONField(default=dict, help_text="versions, GPU, dtype, template and model sha, as run")

    attempt = models.PositiveSmallIntegerField(default=0)
    token = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    hinted_at = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True, help_text="a retry waits until then")
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=120, blank=True)
    only_host = models.CharField(max_length=200, blank=True, help_text="the one machine that may run it; blank: any")

    stage = models.CharField(max_length=200, blank=True)
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(null=True, blank=True)

    error_kind = models.CharField(max_length=40, blank=True)
    error_text = models.TextField(blank=True)
    log_tail = models.TextField(blank=True)
    attempts_log = models.JSONField(default=list, help_text="one entry per ended attempt: when, why, where")

    is_imported = models.BooleanField(default=False)
    rerun_of = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="reruns")
    reason = models.TextField(blank=True)
    requested_by = models.CharField(max_length=150, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_reason = models.TextField(blank=True)

    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = EvaluationRunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint", "only_host"],
                condition=Q(status__in=ACTIVE),
                name="one_active_run_per_fingerprint",
            ),
            models.CheckConstraint(
                condition=~Q(status="running") | (~Q(token="") & Q(lease_until__isnull=False)),
                name="a_running_run_has_a_token_and_a_lease",
            ),
            models.CheckConstraint(condition=~Q(status="failed") | ~Q(error_kind=""), name="a_failed_run_says_why"),
        ]
        indexes = [
            models.Index(fields=["status", "lane", "-priority", "created_at"], name="run_line"),
            models.Index(fields=["suite", "status"], name="run_suite_status"),
            models.Index(fields=["-created_at"], name="run_newest"),
            models.Index(fields=["status", "-finished_at"], name="run_ended"),
            models.Index(fields=["status", "error_kind", "worker"], name="run_failures"),
            models.Index(fields=["worker"], name="run_worker"),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}: {self.revision_id} on {self.suite_id}"

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def answers_of(self) -> int | None:
        """The run whose stored answers this one scores anew; None for a run that asks its model."""
        found = self.settings.get("answers_of")
        return int(found) if found else None

    @property
    def workdir(self) -> str:
        """Where this run's answers and reports lie on the machine that runs it; kept across attempts."""
        return str(settings.HOME / "runs" / str(self.pk))

    def heartbeat_age(self) -> float | None:
        """Seconds since the last sign of life; None when it never gave one or is not running."""
        if self.status != self.Status.RUNNING or self.heartbeat_at is None:
            return None
        return max(0.0, (timezone.now() - self.heartbeat_at).total_seconds())


class Worker(models.Model):
    """A worker process as it last reported itself."""

    name = models.CharField(max_length=120, unique=True)
    lane = models.CharField(max_length=12)
    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    gpu = models.CharField(max_length=200, blank=True)
    gpus = models.JSONField(null=True, blank=True, help_text="as of the last heartbeat, see adapters.gpu; NULL: none")
    version = models.CharField(max_length=60, blank=True)
    current_run = models.ForeignKey(EvaluationRun, models.SET_NULL, null=True, blank=True, related_name="+")
    note = models.CharField(max_length=300, blank=True, help_text="what it last had to say, such as a lost Redis")
    is_draining = models.BooleanField(default=False)
    started_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name

    def heartbeat_age(self) -> float:
        return max(0.0, (timezone.now() - self.heartbeat_at).total_seconds())


class Generation(models.Model):
    """A counter per kind of published page; whoever changes what a page shows adds one in the same transaction."""

    name = models.CharField(max_length=80, primary_key=True)
    value = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name}={self.value}"
