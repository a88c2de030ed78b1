"""Battles, the one vote each may get, and what does not count and why."""

from __future__ import annotations

import secrets

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from runners.models import Conversation, ModelRevision


def public_key() -> str:
    """A name for a battle that nobody can guess and that says nothing of the models."""
    return secrets.token_urlsafe(16)


class VoteSource(models.Model):
    """Where verdicts come from: this site's arena, or an import. With `judge` set they are a judge's, not people's."""

    slug = models.CharField(max_length=80, unique=True)
    name = models.CharField(max_length=200)
    judge = models.CharField(max_length=80, blank=True, help_text="slug of the judge whose verdicts these are")
    licence = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.slug


class Voter(models.Model):
    """A person as far as this site knows one: a keyed hash of a session, or an id an import gave."""

    key = models.CharField(max_length=64, unique=True)
    network_hash = models.CharField(
        max_length=64, blank=True, help_text="keyed hash of day and network; never an address"
    )
    kind = models.CharField(
        max_length=40, blank=True, help_text="group an import's voter ids name, such as expert or author"
    )
    consented_at = models.DateTimeField(null=True, blank=True)
    first_seen = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.key[:8]


class Battle(models.Model):
    """Two conversations on the same prompt, shown as A (left) and B (right) without their names."""

    class Kind(models.TextChoices):
        LIVE = "live", _("live")
        RECORDED = "recorded", _("recorded answers")

    class Mode(models.TextChoices):
        BLIND = "blind", _("blind battle")
        SIDE_BY_SIDE = "side_by_side", _("chosen models side by side")
        DIRECT = "direct", _("direct chat")

    class Status(models.TextChoices):
        CREATED = "created", _("created")
        STREAMING = "streaming", _("answering")
        COMPLETE = "complete", _("waiting for the vote")
        VOTED = "voted", _("voted")
        ERROR = "error", _("broken off")

    key = models.CharField(max_length=32, unique=True, default=public_key)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    mode = models.CharField(max_length=12, choices=Mode.choices, default=Mode.BLIND)
    # A live conversation belongs to one battle; a recorded one may be shown in many.
    left = models.ForeignKey(Conversation, models.PROTECT, related_name="battles_as_left")
    right = models.ForeignKey(Conversation, models.PROTECT, null=True, blank=True, related_name="battles_as_right")
    left_revision = models.ForeignKey(ModelRevision, models.PROTECT, related_name="+")
    right_revision = models.ForeignKey(ModelRevision, models.PROTECT, related_name="+", null=True, blank=True)
    item = models.CharField(max_length=160, blank=True, help_text="set/question of a recorded battle")
    category = models.CharField(max_length=80, blank=True)
    language = models.CharField(max_length=8, default="ko")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.CREATED)
    voter = models.ForeignKey(Voter, models.PROTECT, related_name="battles")
    pair_probability = models.FloatField(null=True, help_text="with which the pair was drawn, for the fair-play page")
    gold_winner = models.CharField(max_length=8, blank=True, help_text="the known better side of a gold pair")
    repeat_of = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="repeats")
    error_kind = models.CharField(max_length=40, blank=True)
    # Given out once per turn of a live battle: whoever sends it may read that turn's stream, once.
    stream_key = models.CharField(max_length=32, blank=True, db_index=True)
    prompt_hash = models.CharField(max_length=32, blank=True, db_index=True)
    network_hash = models.CharField(max_length=64, blank=True, db_index=True, help_text="keyed hash of day and network")
    findings = models.JSONField(default=list, help_text="rules its answers fall under: [rule, detail]")
    shared_at = models.DateTimeField(null=True, blank=True, help_text="its voter made it readable by its address")
    deleted_at = models.DateTimeField(null=True, blank=True, help_text="texts removed on the voter's wish")
    created_at = models.DateTimeField(default=timezone.now)
    completed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"battle {self.pk}"


class Vote(models.Model):
    """One verdict on one pair. Never edited or deleted; an `Exclusion` takes it out of the count."""

    class Winner(models.TextChoices):
        LEFT = "a", _("A is better")
        RIGHT = "b", _("B is better")
        TIE = "tie", _("about the same")
        BOTH_BAD = "bothbad", _("both are bad")

    # Every index costs an imported vote: foreign keys share the composite ones below, two are of our own battles alone.
    source = models.ForeignKey(VoteSource, models.PROTECT, related_name="votes", db_index=False)
    battle = models.OneToOneField(Battle, models.PROTECT, null=True, blank=True, related_name="vote")
    external_id = models.CharField(max_length=80, blank=True)
    left = models.ForeignKey(ModelRevision, models.PROTECT, related_name="+", db_index=False)
    right = models.ForeignKey(ModelRevision, models.PROTECT, related_name="+", db_index=False)
    winner = models.CharField(max_length=8, choices=Winner.choices)
    voter = models.ForeignKey(Voter, models.PROTECT, null=True, blank=True, related_name="votes", db_index=False)
    item = models.CharField(max_length=160, blank=True)
    turn = models.PositiveSmallIntegerField(null=True, blank=True)
    category = models.CharField(max_length=80, blank=True, help_text="one or several, separated by |")
    language = models.CharField(max_length=8, blank=True)
    style = models.JSONField(null=True, blank=True, help_text="left and right: tokens, headers, lists, bold")
    reasons = models.JSONField(default=list)
    comment = models.TextField(blank=True)
    dwell_seconds = models.FloatField(null=True, blank=True)
    agrees_with_judge = models.BooleanField(null=True)
    cast_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"], condition=~models.Q(external_id=""), name="one_vote_per_external_id"
            ),
            models.CheckConstraint(condition=~models.Q(left=models.F("right")), name="nobody_battles_itself"),
        ]
        indexes = [
            models.Index(fields=["source", "id"], name="vote_source"),
            models.Index(fields=["source", "item"], condition=models.Q(battle__isnull=False), name="vote_item"),
            models.Index(fields=["voter", "id"], condition=models.Q(battle__isnull=False), name="vote_voter"),
            models.Index(fields=["source", "left", "right"], name="vote_pair"),
        ]

    def __str__(self) -> str:
        return f"vote {self.pk}"


class Exclusion(models.Model):
    """Why a vote does not count: a rule, a time and who; lifted ones stay in the ledger."""

    vote = models.ForeignKey(Vote, models.PROTECT, related_name="exclusions")
    rule = models.CharField(max_length=40)
    detail = models.CharField(max_length=300, blank=True)
    actor = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["vote", "rule"], condition=models.Q(lifted_at=None), name="one_exclusion_per_vote_and_rule"
            )
        ]

    def __str__(self) -> str:
        return f"{self.vote_id}: {self.rule}"


class PairTally(models.Model):
    """Counted votes of one ordered pair, kept as votes arrive: the sufficient statistic of Bradley–Terry."""

    source = models.ForeignKey(VoteSource, models.CASCADE, related_name="tallies")
    category = models.CharField(max_length=80, default="overall")
    left = models.ForeignKey(ModelRevision, models.PROTECT, related_name="+")
    right = models.ForeignKey(ModelRevision, models.PROTECT, related_name="+")
    left_wins = models.BigIntegerField(default=0)
    right_wins = models.BigIntegerField(default=0)
    ties = models.BigIntegerField(default=0)
    both_bad = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "category", "left", "right"], name="one_tally_per_pair"),
            models.CheckConstraint(
                condition=models.Q(left__lt=models.F("right")), name="a_tally_has_its_pair_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.left_id}–{self.right_id}"


class VoteLogRoot(models.Model):
    """The vote log of a source sealed up to one vote: the hash chain's end there (see `arena.chain`). Never edited."""

    source = models.ForeignKey(VoteSource, models.PROTECT, related_name="roots")
    day = models.DateField(help_text="UTC day on which it was sealed")
    up_to_vote = models.BigIntegerField()
    n_votes = models.BigIntegerField(help_text="votes of the source from the first up to this one")
    root = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "up_to_vote"], name="one_root_per_vote")]

    def __str__(self) -> str:
        return f"{self.source_id} up to {self.up_to_vote}: {self.root[:12]}"
