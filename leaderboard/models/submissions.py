"""What people asked to have measured."""

from __future__ import annotations

import secrets

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from runners.models import EvaluationRun, ModelRevision


def receipt_code() -> str:
    """An unguessable name for a receipt page: whoever holds the link may cancel or retry."""
    return secrets.token_urlsafe(12)


class Submission(models.Model):
    """One press of the submission button; its receipt page shows each of its runs until the end."""

    receipt = models.CharField(max_length=32, unique=True, default=receipt_code)
    form_key = models.CharField(max_length=64, unique=True, help_text="drawn with the form: posted twice, kept once")
    revision = models.ForeignKey(ModelRevision, models.PROTECT, related_name="submissions")
    runs = models.ManyToManyField(EvaluationRun, related_name="submissions")
    submitter = models.CharField(max_length=150, blank=True)
    email = models.EmailField(blank=True)
    note = models.TextField(blank=True)
    network_hash = models.CharField(max_length=64, help_text="keyed hash of day and address; never the address")
    checks = models.JSONField(default=list, help_text="the live checks as they stood when it was sent")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("submission")
        indexes = [models.Index(fields=["network_hash", "created_at"], name="submission_network")]

    def __str__(self) -> str:
        return f"submission {self.pk}"
