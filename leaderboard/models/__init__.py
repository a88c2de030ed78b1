"""Standings: what people asked to have measured, what came of it, and what the operators did."""

from leaderboard.models.console import AuditEntry, SavedView
from leaderboard.models.ratings import AgreementSnapshot, Rating, RatingSnapshot
from leaderboard.models.registry import Alias, Rollback
from leaderboard.models.second_factor import RecoveryCode
from leaderboard.models.submissions import Submission, receipt_code

__all__ = [
    "AgreementSnapshot",
    "Alias",
    "AuditEntry",
    "Rating",
    "RatingSnapshot",
    "RecoveryCode",
    "Rollback",
    "SavedView",
    "Submission",
    "receipt_code",
]
