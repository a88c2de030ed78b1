"""What is shown after the vote: who the two were, what they took, how others voted, and what judges say.

Judges live on a floor of their own: whoever knows both adds a function to `JUDGES` (leaderboard does, when it starts).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from django.utils import timezone

from arena.models import Battle, PairTally
from arena.roster import SOURCE
from arena.streams import price_of
from arena.tallies import OVERALL
from runners.models import Conversation, Message, ModelRevision, Price

FRESH: Final = timedelta(minutes=1)
"""Judges are asked within seconds of a vote; after this long without one nobody will be."""


@dataclass(frozen=True)
class JudgeView:
    """What one judge says of the pair: the side ("a", "b", "tie", or empty where it gives none), scores, its words.

    is_waiting: it was asked and has not answered yet; obstacle: what stands in its way, in words.
    """

    judge: str
    winner: str
    left_score: float | None = None
    right_score: float | None = None
    reason: str = ""
    is_waiting: bool = False
    obstacle: str = ""


@dataclass(frozen=True)
class Facts:
    """One side revealed. Tokens, seconds and won are None where they are not known."""

    letter: str
    revision: ModelRevision
    tokens: int | None
    seconds: float | None
    won: Decimal | None
    is_truncated: bool


@dataclass(frozen=True)
class Others:
    """How counted votes on this pair went, as seen from this battle's sides."""

    left: int
    right: int
    ties: int
    both_bad: int

    @property
    def votes(self) -> int:
        return self.left + self.right + self.ties + self.both_bad


@dataclass(frozen=True)
class Reveal:
    """Everything behind a battle."""

    sides: list[Facts]
    others: Others
    judges: list[JudgeView]
    is_fresh: bool = False

    @property
    def has_verdict(self) -> bool:
        return any(view.winner for view in self.judges)

    @property
    def may_change(self) -> bool:
        """Whether to look again soon: a judge has not answered, or the vote is too new for one to have compared."""
        compared = any(view.winner and view.left_score is None for view in self.judges)
        return any(view.is_waiting for view in self.judges) or (self.is_fresh and not compared)


JUDGES: list[Callable[[Battle], list[JudgeView]]] = []


def reveal(battle: Battle) -> Reveal:
    """What may be told once the vote is stored, or where the visitor chose the models."""
    sides = [("A", battle.left), ("B", battle.right)]
    facts = [_facts(letter, side) for letter, side in sides if side is not None]
    vote = getattr(battle, "vote", None)
    is_fresh = vote is not None and timezone.now() - vote.cast_at < FRESH
    return Reveal(facts, others(battle), [view for judges in JUDGES for view in judges(battle)], is_fresh)


def _facts(letter: str, side: Conversation) -> Facts:
    answers = [one for one in side.messages.all() if one.role == Message.Role.ASSISTANT]
    tokens = [one.completion_tokens for one in answers]
    seconds = [one.seconds for one in answers]
    endpoint = side.revision.endpoint
    price = price_of(endpoint.served_name) if endpoint else None
    return Facts(
        letter,
        side.revision,
        sum(one or 0 for one in tokens) if tokens and None not in tokens else None,
        sum(one or 0.0 for one in seconds) if seconds and None not in seconds else None,
        _won(answers, price),
        any(one.status == Message.Status.TRUNCATED for one in answers),
    )


def _won(answers: list[Message], price: Price | None) -> Decimal | None:
    costs = [one.cost_usd for one in answers]
    if price is None or None in costs or not costs:
        return None
    return sum((one or Decimal(0) for one in costs), Decimal(0)) * price.krw_per_usd


def others(battle: Battle) -> Others:
    """The kept counts of this pair."""
    if battle.right_revision_id is None:
        return Others(0, 0, 0, 0)
    low, high = sorted((battle.left_revision_id, battle.right_revision_id))
    row = PairTally.objects.filter(source__slug=SOURCE, category=OVERALL, left=low, right=high).first()
    if row is None:
        return Others(0, 0, 0, 0)
    wins = (row.left_wins, row.right_wins)
    left, right = wins if battle.left_revision_id == low else wins[::-1]
    return Others(left, right, row.ties, row.both_bad)
