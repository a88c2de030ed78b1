"""Which models stand in the arena on which terms, and what visitors reported."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from arena.models.battles import Battle
from runners.models import ModelRevision


class Entry(models.Model):
    """The terms of one revision in the draw; a revision without an entry stands on the ordinary ones."""

    revision = models.OneToOneField(ModelRevision, models.CASCADE, related_name="arena_entry")
    weight = models.FloatField(default=1.0)
    is_out = models.BooleanField(default=False, help_text="not drawn for the time being, such as in an outage")
    is_private = models.BooleanField(default=False, help_text="not released yet; never meets another such model")
    strict_targets = models.JSONField(default=list, blank=True, help_text="patterns of the only rivals' slugs")
    targets = models.JSONField(default=list, blank=True, help_text="slugs of rivals it should meet half of the time")
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(retired_at=None) | ~models.Q(retired_reason=""), name="a_retirement_has_a_reason"
            ),
            models.CheckConstraint(condition=models.Q(weight__gte=0), name="a_weight_is_not_negative"),
        ]

    def __str__(self) -> str:
        return str(self.revision_id)


class Report(models.Model):
    """What somebody reported about a battle, for staff."""

    battle = models.ForeignKey(Battle, models.CASCADE, related_name="reports")
    reason = models.CharField(max_length=1000)
    created_at = models.DateTimeField(default=timezone.now)
    handled_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"report {self.pk}"
