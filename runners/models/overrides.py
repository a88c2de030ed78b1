"""Settings that staff have changed while the site runs."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Override(models.Model):
    """A value in the place of a setting's default; without a row the default holds. See runners.overrides."""

    name = models.CharField(max_length=100, primary_key=True)
    value = models.JSONField()
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name}={self.value}"
