"""Verdicts of machine judges, and the questions they are given on."""

from judging.models.judges import Budget, Judge, Judgment, Seat
from judging.models.questions import Answer, Question, QuestionSet
from judging.models.standings import JudgedRun, JudgeTrial, TrialPoint

__all__ = [
    "Answer", "Budget", "Judge", "JudgeTrial", "JudgedRun", "Judgment", "Question", "QuestionSet", "Seat", "TrialPoint",
]  # fmt: skip
