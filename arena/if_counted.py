"""What the ratings would be if votes that were left out counted: shown in the public ledger beside every rule.

Ratings live on the floor above: whoever knows them adds a function to `REPORTS` (leaderboard does, when it starts).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from arena import rules


@dataclass(frozen=True)
class Standing:
    """A rating in points with its 95 % interval, and the interval of ranks; all None for a model without a rating."""

    rating: float | None
    low: float | None
    high: float | None
    rank_low: int | None
    rank_high: int | None

    @property
    def rank(self) -> str:
        if self.rank_low is None:
            return "–"
        return str(self.rank_low) if self.rank_low == self.rank_high else f"{self.rank_low}–{self.rank_high}"


@dataclass(frozen=True)
class Change:
    """One model that the votes are about: as it stands, and as it would stand."""

    name: str
    now: Standing
    counted: Standing

    @property
    def difference(self) -> float | None:
        if self.now.rating is None or self.counted.rating is None:
            return None
        return self.counted.rating - self.now.rating

    @property
    def moves(self) -> bool:
        """Whether the interval of ranks would be another one."""
        return self.now.rank != self.counted.rank


@dataclass(frozen=True)
class Group:
    """Votes left out together: by one rule, of one voter (the name that the log gives them), or all ("")."""

    rule: str
    voter: str
    votes: int
    models: int
    changes: list[Change]

    @property
    def label(self) -> str:
        return rules.label(self.rule) if self.rule else ""


@dataclass(frozen=True)
class Report:
    """Every group, and when it was worked out."""

    at: datetime
    groups: list[Group]


REPORTS: list[Callable[[str], Report | None]] = []


def of(source: str) -> Report | None:
    """The report on a source of votes; None where nobody has worked one out."""
    return next((found for report in REPORTS if (found := report(source)) is not None), None)
