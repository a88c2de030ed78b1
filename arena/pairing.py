"""Who meets whom: the rules of the Chatbot Arena, with the probability of every pair worked out before one is drawn.

The first model is drawn by weight (times the boost of a new one; none while it is out), its rival by weight without the
boost, never itself, never two unreleased models, and only within strict targets where either side has some (FastChat,
`gradio_block_arena_anony.py`). The uncertainty-driven rule draws the pairs whose next vote narrows an interval most
(Chiang et al. 2024: sqrt(s/n) - sqrt(s/(n+1))).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

BOOST: Final = 5.0
UNCERTAIN: Final = 0.5
PER_ORGANISATION: Final = 3
"""So many models of one organisation are drawn at once; clones of a model would otherwise buy it votes."""


@dataclass(frozen=True)
class Contender:
    """One model in the draw. `strict_targets`: patterns (`*`, `?`) of the only rivals it may meet; empty: all.

    `targets`: rivals it should meet half of the time, as names.
    """

    name: str
    weight: float = 1.0
    is_new: bool = False
    is_out: bool = False
    is_private: bool = False
    organisation: str = ""
    strict_targets: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    @property
    def chance(self) -> float:
        """Its weight as a rival: 0 while it is out."""
        return 0.0 if self.is_out else max(self.weight, 0.0)


class Pair(NamedTuple):
    """Two names in the order of the alphabet."""

    first: str
    second: str


@dataclass(frozen=True)
class Drawn:
    """Left and right, and with which probability this pair (in either order) was drawn."""

    left: str
    right: str
    probability: float


@dataclass(frozen=True)
class Record:
    """Votes of a pair so far: how many, and the first one's wins with undecided ones halved."""

    votes: int = 0
    score: float = 0.0

    @property
    def variance(self) -> float:
        """Of one vote's score; drawn to 1/4 by one vote each way."""
        mean = (self.score + 1) / (self.votes + 2)
        return mean * (1 - mean)


def pair_of(one: str, other: str) -> Pair:
    return Pair(*sorted((one, other)))


def may_meet(one: Contender, other: Contender) -> bool:
    """Not itself, not two unreleased models, and within the strict targets of either."""
    if one.name == other.name or (one.is_private and other.is_private):
        return False
    if not one.strict_targets and not other.strict_targets:
        return True
    return _names(one, other) or _names(other, one)


def _names(one: Contender, other: Contender) -> bool:
    return any(fnmatchcase(other.name, pattern) for pattern in one.strict_targets)


def weighted(contenders: Sequence[Contender], boost: float = BOOST) -> dict[Pair, float]:
    """The probability of every pair by weights, boosts and targets; they add up to 1, or the table is empty.

    FastChat draws the first model even where nobody may meet it; here such a model is left out of the draw.
    """
    table: dict[Pair, float] = {}
    for one in contenders:
        first = one.chance * (boost if one.is_new else 1.0)
        rivals = _rivals(one, contenders)
        total = math.fsum(rivals.values())
        if first <= 0 or total <= 0:
            continue
        for name, weight in rivals.items():
            pair = pair_of(one.name, name)
            table[pair] = table.get(pair, 0.0) + first * weight / total
    return _normalised(table)


def _rivals(one: Contender, contenders: Sequence[Contender]) -> dict[str, float]:
    rivals = {other.name: other.chance for other in contenders if other.chance > 0 and may_meet(one, other)}
    wanted = [name for name in one.targets if name in rivals]
    total = math.fsum(rivals.values())
    for name in wanted:
        rivals[name] = 0.5 * total / len(wanted)
    return rivals


def uncertain(contenders: Sequence[Contender], records: Mapping[Pair, Record]) -> dict[Pair, float]:
    """The probability of every pair by how much its next vote narrows the interval of its win rate."""
    table = {}
    for place, one in enumerate(contenders):
        for other in contenders[place + 1 :]:
            if one.chance > 0 and other.chance > 0 and may_meet(one, other):
                pair = pair_of(one.name, other.name)
                record = records.get(pair, Record())
                n, spread = record.votes + 1, record.variance
                table[pair] = math.sqrt(spread / n) - math.sqrt(spread / (n + 1))
    return _normalised(table)


def probabilities(
    contenders: Sequence[Contender],
    records: Mapping[Pair, Record],
    share_uncertain: float = UNCERTAIN,
    boost: float = BOOST,
) -> dict[Pair, float]:
    """The probability of every pair: `share_uncertain` of the draws where votes help most, the rest by weights.

    Every pair that may meet keeps a chance, so that the graph of models stays connected and any claim can be checked.
    """
    chosen = limited(contenders)
    by_weight, by_need = weighted(chosen, boost), uncertain(chosen, records)
    mixed = {
        pair: (1 - share_uncertain) * by_weight.get(pair, 0.0) + share_uncertain * by_need.get(pair, 0.0)
        for pair in by_weight.keys() | by_need.keys()
    }
    return dict(sorted(_normalised(mixed).items()))


def limited(contenders: Sequence[Contender], most: int = PER_ORGANISATION) -> list[Contender]:
    """At most `most` unreleased models of one organisation, in their order; released ones are no clones."""
    seen: dict[str, int] = {}
    kept = []
    for one in contenders:
        if one.is_private and one.organisation:
            seen[one.organisation] = seen.get(one.organisation, 0) + 1
            if seen[one.organisation] > most:
                continue
        kept.append(one)
    return kept


def exposure(table: Mapping[Pair, float]) -> dict[str, float]:
    """With which probability each model is in a battle; they add up to 2."""
    shares: dict[str, float] = {}
    for pair, probability in table.items():
        for name in pair:
            shares[name] = shares.get(name, 0.0) + probability
    return shares


def draw(table: Mapping[Pair, float], source: random.Random) -> Drawn | None:
    """One pair, its sides by a coin; None from an empty table."""
    if not table:
        return None
    pairs = list(table)
    pair = source.choices(pairs, weights=[table[one] for one in pairs])[0]
    left, right = pair if source.random() < 0.5 else (pair.second, pair.first)
    return Drawn(left, right, table[pair])


def _normalised(table: dict[Pair, float]) -> dict[Pair, float]:
    total = math.fsum(table.values())
    return {pair: value / total for pair, value in table.items() if value > 0} if total > 0 else {}
