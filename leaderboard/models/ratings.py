"""Standings as they were worked out and stored: ratings, and how far judges and people agree."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from runners.models import ModelRevision


class RatingSnapshot(models.Model):
    """What a rating was fitted on: votes up to an id, exclusions by rule, and the hash of the counts."""

    source = models.CharField(max_length=80, help_text="slug of a vote source, or judge:<slug>")
    category = models.CharField(max_length=80, default="overall")
    method = models.CharField(
        max_length=20, help_text="bt, elo, bt-style, bt-decisive, davidson, bt-reweighted, bt-capped"
    )
    method_version = models.CharField(max_length=20)
    up_to_vote = models.BigIntegerField(default=0)
    n_votes = models.BigIntegerField()
    excluded = models.JSONField(default=dict, help_text="rule → number of votes that do not count")
    input_hash = models.CharField(max_length=64)
    warnings = models.JSONField(default=list)
    details = models.JSONField(default=dict, help_text="style coefficients, tie parameter, fragility, seconds")
    state = models.JSONField(default=dict, help_text="what an incremental method goes on from (Elo)")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["source", "category", "method", "-id"], name="snapshot_newest")]

    def __str__(self) -> str:
        return f"{self.method} of {self.source}/{self.category}"


class Rating(models.Model):
    """One model in a snapshot; `rating` is NULL with a status where no finite rating exists."""

    snapshot = models.ForeignKey(RatingSnapshot, models.CASCADE, related_name="ratings")
    revision = models.ForeignKey(ModelRevision, models.PROTECT, related_name="ratings")
    status = models.CharField(max_length=20, help_text="rated, provisional, no_votes, only_wins, only_losses, …")
    rating = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    rank_low = models.PositiveIntegerField(null=True)
    rank_high = models.PositiveIntegerField(null=True)
    battles = models.BigIntegerField(default=0)
    wins = models.BigIntegerField(default=0)
    ties = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["snapshot", "revision"], name="one_rating_per_snapshot")]

    def __str__(self) -> str:
        return f"{self.revision_id}: {self.rating}"


class AgreementSnapshot(models.Model):
    """How one judge and the people of one source agreed at a time; the page and the API show these numbers as stored.

    `numbers` is written by `leaderboard.agreement_numbers`: whole, slices by kind, ceiling, biases, ratings, examples.
    """

    judge = models.CharField(max_length=80, help_text="slug of the judge")
    source = models.CharField(max_length=80, help_text="slug of the people's vote source")
    n_items = models.BigIntegerField(help_text="items that both decided")
    n_votes = models.BigIntegerField(help_text="people's votes on them")
    input_hash = models.CharField(max_length=64)
    numbers = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["source", "judge", "-id"], name="agreement_newest")]

    def __str__(self) -> str:
        return f"{self.judge} against {self.source}"
