"""What operators decided about revisions: which of them the boards show, and which of their runs."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from runners.models import EvaluationRun, ModelRevision, Suite


class Alias(models.Model):
    """What a revision is at the moment; one without a row is listed. Who moved it and why stands in the audit."""

    class Name(models.TextChoices):
        CANDIDATE = "candidate", _("candidate")
        LISTED = "listed", _("listed")
        RETIRED = "retired", _("retired")

    revision = models.OneToOneField(ModelRevision, models.CASCADE, related_name="alias")
    name = models.CharField(max_length=10, choices=Name.choices)
    reason = models.TextField()
    moved_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.revision_id}: {self.name}"


class Rollback(models.Model):
    """The board shows `run` instead of `instead_of` and of whatever came after, until it is undone.

    One is open per suite, revision and number of shots (None: the suite's own).
    """

    suite = models.ForeignKey(Suite, models.CASCADE, related_name="rollbacks")
    revision = models.ForeignKey(ModelRevision, models.CASCADE, related_name="rollbacks")
    shots = models.PositiveSmallIntegerField(null=True, blank=True)
    run = models.ForeignKey(EvaluationRun, models.CASCADE, related_name="rolled_back_to")
    instead_of = models.ForeignKey(EvaluationRun, models.CASCADE, related_name="rolled_back_from")
    reason = models.TextField()
    at = models.DateTimeField(default=timezone.now)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="no_rollback_without_a_reason"),
            models.UniqueConstraint(
                fields=["suite", "revision"],
                condition=Q(undone_at=None, shots=None),
                name="one_open_rollback_of_the_suites_own_shots",
            ),
            models.UniqueConstraint(
                fields=["suite", "revision", "shots"],
                condition=Q(undone_at=None),
                name="one_open_rollback_per_shots",
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.run_id} instead of {self.instead_of_id}"
