"""Verdicts of machine judges, and the questions they are given on."""

from judging.models.judges import Budget, Judge, Judgment
from judging.models.questions import Answer, Question, QuestionSet

__all__ = ["Answer", "Budget", "Judge", "Judgment", "Question", "QuestionSet"]
