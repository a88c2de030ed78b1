"""What a voter's own page shows: how reliable the votes are, and who would lead if nobody else had voted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from arena.models import Exclusion, Vote, Voter

MIRROR = {"a": "b", "b": "a", "tie": "tie", "bothbad": "bothbad"}
SCORES = {"a": 1.0, "b": 0.0, "tie": 0.5, "bothbad": 0.5}


@dataclass(frozen=True)
class Share:
    """A share of n with its 95 % Wilson interval; None where n is 0."""

    count: float
    n: int

    @property
    def value(self) -> float | None:
        return self.count / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's score interval (1927) at z = 1.96."""
        if not self.n:
            return None
        z, p = 1.959963984540054, self.count / self.n
        centre = (p + z * z / (2 * self.n)) / (1 + z * z / self.n)
        half = z * math.sqrt(p * (1 - p) / self.n + z * z / (4 * self.n * self.n)) / (1 + z * z / self.n)
        return max(0.0, centre - half), min(1.0, centre + half)


def of(voter: Voter) -> dict[str, Any]:
    """Context of the page."""
    votes = list(
        Vote.objects.filter(voter=voter)
        .select_related("battle", "battle__repeat_of__vote", "left__language_model", "right__language_model")
        .order_by("-pk")[:1000]
    )
    out = set(Exclusion.objects.filter(vote__in=votes, lifted_at=None).values_list("vote_id", flat=True))
    return {
        "votes": len(votes),
        "counted": len(votes) - len(out),
        "repeats": _repeats(votes),
        "gold": _gold(votes),
        "board": _board(votes),
        "latest": votes[:20],
        "out": out,
    }


def _repeats(votes: list[Vote]) -> Share:
    """Of the battles shown twice with sides swapped, how many got the same verdict."""
    pairs = [
        (vote.winner, vote.battle.repeat_of.vote.winner)
        for vote in votes
        if vote.battle is not None and vote.battle.repeat_of is not None and hasattr(vote.battle.repeat_of, "vote")
    ]
    return Share(sum(MIRROR[second] == first for second, first in pairs), len(pairs))


def _gold(votes: list[Vote]) -> Share:
    """Of the pairs whose better side is known, how many were voted that way."""
    known = [(vote.winner, vote.battle.gold_winner) for vote in votes if vote.battle and vote.battle.gold_winner]
    return Share(sum(said == right for said, right in known), len(known))


def _board(votes: list[Vote]) -> list[tuple[str, Share]]:
    """Models by the share of the voter's own battles they won, undecided ones halved."""
    seen: dict[str, list[float]] = {}
    for vote in votes:
        score = SCORES[vote.winner]
        for revision, got in ((vote.left, score), (vote.right, 1 - score)):
            seen.setdefault(revision.language_model.display_name, []).append(got)
    lines = [(name, Share(sum(got), len(got))) for name, got in seen.items()]
    return sorted(lines, key=lambda line: (-(line[1].value or 0.0), -line[1].n, line[0]))
