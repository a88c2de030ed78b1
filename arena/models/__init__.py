"""Verdicts of people."""

from arena.models.battles import Battle, Exclusion, PairTally, Vote, VoteLogRoot, Voter, VoteSource

__all__ = ["Battle", "Exclusion", "PairTally", "Vote", "VoteLogRoot", "VoteSource", "Voter"]
