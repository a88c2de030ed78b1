"""Conversations with a model, turn by turn: the evidence that judges and arena voters give verdicts on."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from runners.models.language_models import ModelRevision
from runners.models.runs import EvaluationRun


class Conversation(models.Model):
    """One model's side of a conversation, live (arena) or recorded (a multi-turn run or an import)."""

    revision = models.ForeignKey(ModelRevision, models.PROTECT, related_name="conversations")
    run = models.ForeignKey(EvaluationRun, models.CASCADE, null=True, blank=True, related_name="conversations")
    item = models.CharField(
        max_length=160, blank=True, help_text="set/question it answers, so that rivals can be found"
    )
    category = models.CharField(max_length=80, blank=True)
    mode = models.CharField(max_length=40, blank=True, help_text="prompting mode of a recorded conversation")
    is_recorded = models.BooleanField(default=False, help_text="stored by a run or an import, not live")
    settings = models.JSONField(default=dict, help_text="temperature, max_tokens, seed, system prompt as sent")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["item", "is_recorded"], name="conversation_item")]

    def __str__(self) -> str:
        return f"conversation {self.pk}"


class Message(models.Model):
    """One message of a conversation. A failed request is a status, never a text that could be graded."""

    class Role(models.TextChoices):
        SYSTEM = "system", "system"
        USER = "user", "user"
        ASSISTANT = "assistant", "assistant"

    class Status(models.TextChoices):
        OK = "ok", _("complete")
        TRUNCATED = "truncated", _("cut at the token limit")
        EMPTY = "empty", _("empty")
        ERROR = "error", _("request failed")

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    position = models.PositiveSmallIntegerField(help_text="0-based place in the conversation")
    turn = models.PositiveSmallIntegerField(help_text="1-based turn")
    role = models.CharField(max_length=10, choices=Role.choices)
    text = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OK)
    error_kind = models.CharField(max_length=40, blank=True)
    finish_reason = models.CharField(max_length=20, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)
    first_token_seconds = models.FloatField(null=True, blank=True)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=8, null=True, blank=True)
    served_model = models.CharField(max_length=200, blank=True)
    system_fingerprint = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["conversation", "position"], name="one_message_per_position")]
        indexes = [
            models.Index(
                fields=["created_at"], condition=Q(first_token_seconds__isnull=False), name="message_streamed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id}#{self.position} {self.role}"
