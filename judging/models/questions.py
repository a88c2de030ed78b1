"""Multi-turn questions, and whose recorded conversation answers which of them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from runners.models import Conversation, EvaluationRun, ModelRevision, Suite


class QuestionSetQuerySet(models.QuerySet["QuestionSet"]):
    """Reads, named for those who ask."""

    def current(self, slug: str) -> QuestionSet | None:
        """The newest version of a set; None where there is none."""
        return self.filter(slug=slug).select_related("suite").order_by("-suite__version").first()


class QuestionSet(models.Model):
    """A set of multi-turn questions with the protocol it is asked and graded by. Immutable once answered."""

    class Format(models.TextChoices):
        ROWS = "rows", _("Gyeoru's own rows")
        FASTCHAT = "fastchat", "FastChat"
        LOGICKOR = "logickor", "LogicKor"
        ARENA_HARD = "arena-hard", "Arena-Hard"
        LLMBAR = "llmbar", "LLMBar"

    # Not unique: a changed set is a new version, and the answers to the old one stay. `current` finds the newest.
    slug = models.CharField(max_length=80, db_index=True)
    suite = models.OneToOneField(Suite, models.PROTECT, related_name="question_set", help_text="its board")
    format = models.CharField(max_length=12, choices=Format.choices)
    protocol = models.CharField(max_length=40, help_text="key of judging.formats.protocols")
    language = models.CharField(max_length=8, default="ko")
    sha256 = models.CharField(max_length=64)
    settings = models.JSONField(default=dict, help_text="temperature per category, token limits, reference rule, scale")
    repeats = models.PositiveSmallIntegerField(default=1, help_text="judgments of the same answer, for the noise floor")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = QuestionSetQuerySet.as_manager()

    def __str__(self) -> str:
        return self.slug


class Question(models.Model):
    """One question of one or more turns; `references` has one text (or null) per turn, or is null."""

    question_set = models.ForeignKey(QuestionSet, models.CASCADE, related_name="questions")
    key = models.CharField(max_length=80, help_text="the id it has in its file")
    position = models.PositiveIntegerField()
    category = models.CharField(max_length=80)
    turns = models.JSONField()
    references = models.JSONField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["question_set", "key"], name="a_question_once_per_set")]

    def __str__(self) -> str:
        return f"{self.question_set_id}/{self.key}"


class Answer(models.Model):
    """One revision's recorded conversation on one question, in one prompting mode."""

    question = models.ForeignKey(Question, models.PROTECT, related_name="answers")
    revision = models.ForeignKey(ModelRevision, models.PROTECT, related_name="answers")
    conversation = models.OneToOneField(Conversation, models.CASCADE, related_name="answer")
    run = models.ForeignKey(EvaluationRun, models.CASCADE, related_name="answers")
    mode = models.CharField(max_length=40, default="default", help_text="default, 1-shot, cot-1-shot, …")
    quality = models.CharField(
        max_length=12, blank=True, help_text="known quality: complete, terse, wrong, english; better, worse"
    )
    # One entry per turn: Hangul share, foreign-script characters, register consistency; null where not measurable.
    fidelity = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "question", "mode"], name="one_answer_per_run_and_question")
        ]
        indexes = [models.Index(fields=["question", "revision"], name="answer_neighbours")]

    def __str__(self) -> str:
        return f"{self.revision_id} on {self.question_id}"
