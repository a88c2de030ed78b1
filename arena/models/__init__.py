"""Verdicts of people."""

from arena.models.battles import Battle, Exclusion, PairTally, Vote, VoteLogRoot, Voter, VoteSource
from arena.models.roster import Entry, Report

__all__ = [
    "Battle",
    "Entry",
    "Exclusion",
    "PairTally",
    "Report",
    "Vote",
    "VoteLogRoot",
    "VoteSource",
    "Voter",
]
