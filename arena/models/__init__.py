"""Verdicts of people."""

from arena.models.battles import Battle, Exclusion, PairTally, Vote, Voter, VoteSource

__all__ = ["Battle", "Exclusion", "PairTally", "Vote", "VoteSource", "Voter"]
