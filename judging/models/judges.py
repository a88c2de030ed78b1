"""Judges as versioned rows, what they said, and what that may cost."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext, pgettext_lazy

from runners.models import Conversation, Endpoint, EvaluationRun, ModelRevision

TRANSLATED = (pgettext_lazy("judge", "Gyeoru rule (no model, for trials)"),)


class Judge(models.Model):
    """One exact way of judging: who, with which words, in which mode. A change is a new version."""

    class Kind(models.TextChoices):
        LLM = "llm", _("language model")
        BUILTIN = "builtin", _("built-in rule, for trials without a model")
        IMPORTED = "imported", _("imported judgments")

    class Mode(models.TextChoices):
        SINGLE = "single", _("one answer, 1 to 10")
        PAIR = "pair", _("two answers, both orders")
        FIVE = "five", _("two answers, five labels, both orders")

    slug = models.CharField(max_length=80)
    version = models.PositiveIntegerField(default=1)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    mode = models.CharField(max_length=8, choices=Mode.choices, default=Mode.SINGLE)
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, null=True, blank=True, related_name="judges")
    family = models.CharField(max_length=80, blank=True, help_text="maker of the judging model, for self-preference")
    prompt_language = models.CharField(max_length=8, default="ko")
    prompts = models.JSONField(default=dict, help_text="name → text as sent")
    prompts_sha = models.CharField(max_length=64, blank=True)
    temperature = models.FloatField(default=0.0)
    max_tokens = models.PositiveIntegerField(default=2048)
    json_schema = models.BooleanField(default=False, help_text="the server takes a JSON schema for the verdict")
    cap_usd = models.DecimalField(max_digits=10, decimal_places=4, null=True, blank=True, help_text="cap per run")
    repeats = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="judgments of the same answer; as the question set says where empty"
    )
    baseline = models.ForeignKey(
        ModelRevision, models.PROTECT, null=True, blank=True, related_name="+", help_text="pairs are judged against it"
    )
    question_sets = models.JSONField(default=list, help_text="slugs of the sets it judges; empty: every set")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["slug", "version"], name="one_judge_per_slug_and_version")]

    def __str__(self) -> str:
        return f"{self.slug} v{self.version}"

    @property
    def plays_all(self) -> bool:
        """Whether it compares every model with every other one: a model that judges pairs and has no baseline."""
        return self.kind == self.Kind.LLM and self.mode != self.Mode.SINGLE and self.baseline_id is None

    @property
    def display_name(self) -> str:
        """The name in the reader's language; only the built-in judge has more than one."""
        return pgettext("judge", self.name)


class Judgment(models.Model):
    """What one judge said of one answer, or of two in one order. No verdict unless it was said and read."""

    class Status(models.TextChoices):
        PENDING = "pending", _("waiting")
        DONE = "done", _("read")
        UNPARSABLE = "unparsable", _("could not be read")
        REFUSED = "refused", _("refused")
        ERROR = "error", _("request failed")

    judge = models.ForeignKey(Judge, models.PROTECT, related_name="judgments")
    run = models.ForeignKey(EvaluationRun, models.CASCADE, null=True, related_name="judgments")
    subject = models.ForeignKey(Conversation, models.CASCADE, related_name="judgments")
    rival = models.ForeignKey(Conversation, models.CASCADE, null=True, blank=True, related_name="judgments_as_rival")
    turn = models.PositiveSmallIntegerField(default=0, help_text="1-based; 0 judges the whole conversation")
    swapped = models.BooleanField(default=False, help_text="the rival was shown first")
    repeat = models.PositiveSmallIntegerField(default=0)
    canary = models.CharField(max_length=40, blank=True, help_text="key of the canary that took the answer's place")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    score = models.FloatField(null=True, help_text="as said, on the judge's scale")
    verdict = models.CharField(
        max_length=5, blank=True, help_text="A>>B … B>>A with the subject as A, whatever the order"
    )
    reason = models.TextField(blank=True)
    raw = models.TextField(blank=True)
    failure = models.CharField(max_length=40, blank=True, help_text="why it could not be read")
    published = models.CharField(max_length=16, blank=True, help_text="what an imported file's own program counted")
    prompt = models.CharField(max_length=80, blank=True, help_text="name of the prompt it was asked with")
    calls = models.PositiveSmallIntegerField(default=0, help_text="answers of the judge so far; the second is a repair")
    claim = models.CharField(max_length=32, blank=True, help_text="token of the attempt that makes the call")
    reserved_usd = models.DecimalField(max_digits=12, decimal_places=8, null=True, help_text="while a call is out")
    call_key = models.CharField(max_length=64, unique=True, help_text="sha256 of everything that was sent")
    cost_usd = models.DecimalField(max_digits=12, decimal_places=8, null=True, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True)
    completion_tokens = models.PositiveIntegerField(null=True)
    seconds = models.FloatField(null=True)
    served_model = models.CharField(max_length=200, blank=True)
    is_imported = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["judge", "subject", "turn", "repeat", "canary"],
                condition=Q(rival__isnull=True),
                name="one_single_judgment_per_call",
            ),
            models.UniqueConstraint(
                fields=["judge", "subject", "rival", "turn", "swapped", "repeat", "canary"],
                condition=Q(rival__isnull=False),
                name="one_pair_judgment_per_call",
            ),
            models.CheckConstraint(
                condition=Q(status="done") | Q(score__isnull=True, verdict=""),
                name="no_verdict_unless_one_was_read",
            ),
        ]
        indexes = [
            models.Index(fields=["judge", "status"], name="judgment_state"),
            models.Index(fields=["run", "judge", "status"], name="judgment_of_run"),
        ]

    def __str__(self) -> str:
        return f"{self.judge_id} on {self.subject_id}"


class Budget(models.Model):
    """Money for calls under one name; reserved in the database before each call (docs/judging.md)."""

    name = models.CharField(max_length=100, unique=True, help_text="global, run:<id>, arena")
    cap_usd = models.DecimalField(max_digits=12, decimal_places=4)
    spent_usd = models.DecimalField(max_digits=14, decimal_places=8, default=0)
    reserved_usd = models.DecimalField(max_digits=14, decimal_places=8, default=0)
    is_stopped = models.BooleanField(default=False, help_text="the kill switch: no call is made while it is set")

    def __str__(self) -> str:
        return self.name


class Seat(models.Model):
    """One judge's place at battles: one worker sits there at a time, and what stood in its way is kept."""

    judge = models.OneToOneField(Judge, models.CASCADE, related_name="seat")
    token = models.CharField(max_length=32, blank=True, help_text="of the worker that sits there; empty while free")
    lease_until = models.DateTimeField(null=True)
    hinted_at = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True, help_text="after a failure nobody sits down before")
    up_to_vote = models.BigIntegerField(default=0, help_text="votes up to here have been looked at")
    error_kind = models.CharField(max_length=40, blank=True)
    error_text = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"seat of {self.judge}"
