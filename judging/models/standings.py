"""What came out of finished judging: one row of numbers per run and judge, one trial per judge and question set."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone

from judging.formats.protocols import Penalty
from judging.models.judges import Judge
from judging.models.questions import QuestionSet
from judging.packing import multi_turn_from_json
from judging.scores import Failed, MultiTurn
from runners.models import EvaluationRun


class JudgedRun(models.Model):
    """One run's answers as one judge rated them. Written anew each time a judging ends; never edited.

    `numbers` holds, for a judge of single answers, `{"<failed>/<penalty>": …}` of `packing.multi_turn_to_json`, for
    failed in dropped, zero, one and penalty in none, sqrt, zero. For a judge of pairs it holds `{"baseline": slug,
    "strict": …, "published": …, "position": …}`: the fields of `scores.AgainstBaseline` by our reading and, for
    imports, by the original program's; and of `bias.Position`.
    """

    run = models.ForeignKey(EvaluationRun, models.CASCADE, related_name="judged")
    judge = models.ForeignKey(Judge, models.PROTECT, related_name="judged")
    question_set = models.ForeignKey(QuestionSet, models.CASCADE, related_name="judged")
    mode = models.CharField(max_length=40, default="default", help_text="prompting mode of the answers")
    numbers = models.JSONField(default=dict)
    is_complete = models.BooleanField(default=True, help_text="no judgment is still waiting")
    is_invalid = models.BooleanField(default=False, help_text="more than 0.5 % of the judgments could not be read")

    n_questions = models.PositiveIntegerField(default=0, help_text="questions of the set that were asked in this run")
    n_turns = models.PositiveIntegerField(default=0, help_text="turns asked")
    n_failed = models.PositiveIntegerField(default=0, help_text="turns whose request failed: never graded")
    n_truncated = models.PositiveIntegerField(default=0)
    n_empty = models.PositiveIntegerField(default=0)

    n_judgments = models.PositiveIntegerField(default=0, help_text="judgments of real answers, all states")
    n_done = models.PositiveIntegerField(default=0)
    n_zero = models.PositiveIntegerField(default=0, help_text="zeroes that the judge really said")
    n_unparsable = models.PositiveIntegerField(default=0)
    n_refused = models.PositiveIntegerField(default=0)
    n_error = models.PositiveIntegerField(default=0)
    n_pending = models.PositiveIntegerField(default=0)
    failures = models.JSONField(default=dict, help_text="why verdicts failed: reason → count")

    # Means over the turns with text: hangul_share and register_share (0..1, null: not measurable); counts:
    # not_korean, leaking (turns with foreign characters), measured (turns with text).
    fidelity = models.JSONField(default=dict)

    prompt_tokens = models.PositiveBigIntegerField(null=True, help_text="of the answers")
    completion_tokens = models.PositiveBigIntegerField(null=True)
    answer_seconds = models.FloatField(null=True)
    answer_cost_usd = models.DecimalField(max_digits=14, decimal_places=8, null=True)
    judge_prompt_tokens = models.PositiveBigIntegerField(null=True)
    judge_completion_tokens = models.PositiveBigIntegerField(null=True)
    judge_cost_usd = models.DecimalField(max_digits=14, decimal_places=8, null=True)
    krw_per_usd = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    computed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "judge"], name="one_standing_per_run_and_judge")]

    def __str__(self) -> str:
        return f"{self.run_id} by {self.judge_id}"

    def standing(self, failed: Failed = "dropped", penalty: Penalty = "none") -> MultiTurn | None:
        """The numbers under one choice of the two switches; None for a judge of pairs."""
        stored: dict[str, Any] | None = self.numbers.get(f"{failed}/{penalty}")
        return None if stored is None else multi_turn_from_json(stored)


class TrialPoint(models.Model):
    """What one run's judging said of its judge (`judging.history`). Points of one judge and set are its history."""

    judge = models.ForeignKey(Judge, models.CASCADE, related_name="points")
    question_set = models.ForeignKey(QuestionSet, models.CASCADE, related_name="points")
    run = models.ForeignKey(EvaluationRun, models.CASCADE, related_name="points")
    at = models.DateTimeField(default=timezone.now)
    hits = models.PositiveIntegerField(default=0, help_text="pairs of known order put in it; a tie is none")
    n = models.PositiveIntegerField(default=0)
    kinds = models.JSONField(default=dict, help_text="the same by kind of pair: kind → [hits, n]")
    canary_mean = models.FloatField(null=True, help_text="their mean score; for pairs mean points 0..1")
    n_canaries = models.PositiveIntegerField(default=0)
    n_judgments = models.PositiveIntegerField(default=0)
    n_unread = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "judge"], name="one_point_per_run_and_judge")]

    def __str__(self) -> str:
        return f"{self.judge_id} at run {self.run_id}"


class JudgeTrial(models.Model):
    """How far a judge can be trusted on one question set: everything the judge page shows, stored.

    `report`, where a share is `{hits, n, value, low, high}` (value and interval null when n is 0):
    `noise` {deviation, turns, repeats, agreement: share}; `known_order` {hits: share, ties, missing, pairs:
    [{better, worse, share}]}; `canaries` {is_red, beaten: [[canary, model]], missing: […], rows: [{canary, mean, n,
    failed, duels: share}]}; `position` {consistent, prefers_first, prefers_second, mixed: shares, failed} or null;
    `length` {longer_wins: share, equal_length, correlation}; `self_preference` {by_judge, by_others: shares,
    difference, low, high} or null; `counts` {status: n}; `failures` {reason: n}; `repaired` n.
    """

    judge = models.ForeignKey(Judge, models.CASCADE, related_name="trials")
    question_set = models.ForeignKey(QuestionSet, models.CASCADE, related_name="trials")
    report = models.JSONField(default=dict)
    noise = models.FloatField(null=True, help_text="pooled standard deviation between repeats, in points")
    repeats = models.FloatField(default=0, help_text="mean number of ratings per turn")
    known_order = models.FloatField(null=True, help_text="hit rate on the pairs of known order, 0..1")
    is_red = models.BooleanField(default=False, help_text="a canary beat a real model")
    n_judgments = models.PositiveIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=8, null=True)
    computed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["judge", "question_set"], name="one_trial_per_judge_and_set")]

    def __str__(self) -> str:
        return f"{self.judge_id} on {self.question_set_id}"
