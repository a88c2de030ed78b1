"""A simulated arena with honest voters and such as push one model: how much it takes, and who is caught.

Models have Bradley–Terry strengths; every voter draws battles as the arena does. An attacker votes only where the
target is in the battle (recognising it with probability `identification`) and always for it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from arena.rigging import Ballot, Expectation, pooled, suspicions

Attack = Literal["target-only", "target-plus-honest", "random"]


@dataclass(frozen=True)
class Arena:
    """`strengths` in rating points by model; `ties` is the share of undecided votes between equals."""

    strengths: dict[str, float]
    ties: float = 0.3
    identification: float = 0.95

    def pair(self, draw: random.Random) -> tuple[str, str]:
        left, right = draw.sample(sorted(self.strengths), 2)
        return left, right

    def honest(self, left: str, right: str, draw: random.Random) -> Ballot:
        gap = self.strengths[left] - self.strengths[right]
        if draw.random() < self.ties * math.exp(-((gap / 400) ** 2)):
            return Ballot(left, right, 0.5)
        return Ballot(left, right, float(draw.random() < 1 / (1 + 10 ** (-gap / 400))))

    def ballots(self, votes: int, draw: random.Random) -> Iterator[Ballot]:
        for _ in range(votes):
            yield self.honest(*self.pair(draw), draw)

    def attack(self, target: str, votes: int, kind: Attack, draw: random.Random) -> list[Ballot]:
        """An attacker's votes; `votes` counts those on the target, random clickers' all."""
        cast: list[Ballot] = []
        on_target = 0
        while on_target < votes:
            left, right = self.pair(draw)
            if kind == "random":
                cast.append(Ballot(left, right, draw.choice((0.0, 0.5, 1.0))))
                on_target += 1
            elif target in (left, right) and draw.random() < self.identification:
                cast.append(Ballot(left, right, float(left == target)))
                on_target += 1
            elif kind == "target-plus-honest":
                cast.append(self.honest(left, right, draw))
        return cast


@dataclass(frozen=True)
class Row:
    """One line of the table: how many of `voters` were caught, with `votes` each."""

    who: str
    votes: int
    voters: int
    caught: int

    @property
    def share(self) -> float:
        return self.caught / self.voters


def arena_of(models: int, spread: float = 120.0) -> Arena:
    """Models at even steps of a normal distribution with the given standard deviation in rating points."""
    steps = [(k + 0.5) / models for k in range(models)]
    return Arena({f"model-{k:02d}": spread * _normal(step) for k, step in enumerate(steps)})


def voter_table(models: int = 30, votes: int = 5000, voters: int = 400, seed: int = 1) -> list[Row]:
    """Who the per-voter test catches: honest voters (false alarms) and each attack by number of votes."""
    draw, arena = random.Random(seed), arena_of(models)  # noqa: S311 - a simulation
    expected = Expectation(arena.ballots(votes, draw))
    exposure = dict.fromkeys(arena.strengths, 2 / models)
    target = sorted(arena.strengths)[models // 2]

    def caught(ballots: list[Ballot]) -> bool:
        return any(one.flagged for one in suspicions(ballots, expected, exposure))

    rows = []
    for size in (5, 20, 50, 100):
        found = sum(caught(list(arena.ballots(size, draw))) for _ in range(voters))
        rows.append(Row("honest", size, voters, found))
    attacks: tuple[Attack, ...] = ("target-only", "target-plus-honest", "random")
    for kind in attacks:
        for size in (5, 20, 50, 100):
            if kind == "target-plus-honest" and size > 20:
                continue
            tries = voters if size < 50 else voters // 4
            found = sum(caught(arena.attack(target, size, kind, draw)) for _ in range(tries))
            rows.append(Row(kind, size, tries, found))
    return rows


def day_table(models: int = 30, votes: int = 20000, days: int = 200, seed: int = 2) -> list[Row]:
    """Days that the pooled test catches: `votes` votes for the target among an honest day's."""
    draw, arena = random.Random(seed), arena_of(models)  # noqa: S311 - a simulation
    expected = Expectation(arena.ballots(votes, draw))
    target = sorted(arena.strengths)[models // 2]
    rows = []
    for honest, pushed in ((200, 0), (200, 20), (200, 30), (1000, 0), (1000, 50)):
        found = 0
        for _ in range(days):
            cast = [*arena.ballots(honest, draw), *arena.attack(target, pushed, "target-only", draw)]
            found += any(line.flagged for line in pooled(cast, expected))
        rows.append(Row(f"a day of {honest} votes", pushed, days, found))
    return rows


def _normal(probability: float) -> float:
    low, high = -6.0, 6.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if 0.5 * math.erfc(-middle / math.sqrt(2)) < probability else (low, middle)
    return low
