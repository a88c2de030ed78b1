"""Votes that push one model: a test per voter and model, and a pooled one per model and day.

Chatbot Arena's own outlier test finds few such voters, for it asks whether the first name of a pair wins. Here each
model of a voter is tested by itself: did it win more than others let it win, and does the voter meet it more often than
the draw would have it (whoever pushes one model leaves the other battles without a vote)?
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

MIN_VOTES: Final = 5
FALSE_ALARMS: Final = 0.002
"""With which probability each of the two tests may name an honest voter, over all models (Bonferroni)."""
POOLED: Final = 3.6
"""Threshold of the pooled daily test of a model."""
_PRIOR: Final = 2.0


@dataclass(frozen=True)
class Ballot:
    """One vote: two models, and the score of the left one (1 won, 0 lost, 0.5 undecided)."""

    left: str
    right: str
    score: float


@dataclass(frozen=True)
class Suspicion:
    """What a test found about a model: z-values of how it won and of how often it was met, over `votes`."""

    model: str
    votes: int
    preference: float
    concentration: float
    combined: float
    flagged: bool


class Expectation:
    """What others make of a pair: mean and variance of one side's score, drawn to 1/2 where votes are few."""

    def __init__(self, ballots: Iterable[Ballot]) -> None:
        self._pairs: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        self._models: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self.add(ballots)

    def add(self, ballots: Iterable[Ballot], times: int = 1) -> None:
        for ballot in ballots:
            for one, other, score in _both_ways(ballot):
                pair, model = self._pairs[one, other], self._models[one]
                pair[0] += times
                pair[1] += times * score
                pair[2] += times * score * score
                model[0] += times
                model[1] += times * score

    def of(self, one: str, other: str) -> tuple[float, float]:
        """Mean and variance of `one`'s score against `other`."""
        n, total, squares = self._pairs.get((one, other), (0.0, 0.0, 0.0))
        guess = self._guess(one, other)
        mean = (total + _PRIOR * guess) / (n + _PRIOR)
        # Undecided votes make a score vary less than won-or-lost does; a quarter is the most it can.
        spread = (squares + _PRIOR * (guess * 0.75 + guess * guess * 0.25)) / (n + _PRIOR) - mean * mean
        return mean, min(max(spread, 0.05), 0.25)

    def votes_of(self, model: str) -> float:
        """On how many votes what is expected of a model rests."""
        return self._models.get(model, (0.0, 0.0))[0]

    def _guess(self, one: str, other: str) -> float:
        """From how both fare against everybody, in log odds."""
        odds = 0.0
        for sign, model in ((1, one), (-1, other)):
            n, total = self._models.get(model, (0.0, 0.0))
            share = (total + 1.0) / (n + 2.0)
            odds += sign * math.log(share / (1 - share))
        return 1 / (1 + math.exp(-odds))


def suspicions(
    ballots: Iterable[Ballot], expected: Expectation, exposure: Mapping[str, float], alarms: float = FALSE_ALARMS
) -> list[Suspicion]:
    """The tests of one voter's votes, a line per model met at least five times.

    `exposure`: with which probability a model is in a battle. `expected` should not contain the voter's own votes.
    """
    votes: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    cast = 0
    for ballot in ballots:
        cast += 1
        for one, other, score in _both_ways(ballot):
            votes[one].append((score, *expected.of(one, other)))
    limit = _quantile(alarms / 2 / max(len(exposure), 1))
    found = []
    for model, seen in votes.items():
        if len(seen) < MIN_VOTES:
            continue
        preference = _z(seen, expected.votes_of(model))
        concentration = met_too_often(len(seen), cast, exposure.get(model, 1.0))
        # Pushing a model down is the same as pushing it up.
        combined = (abs(preference) + max(0.0, concentration)) / math.sqrt(2)
        # Meeting a model often is chance or taste as long as the votes are as others'.
        flagged = (combined > limit and concentration > 0 and abs(preference) > 0.8) or abs(preference) > limit + 0.5
        found.append(Suspicion(model, len(seen), preference, concentration, combined, flagged))
    return sorted(found, key=lambda one: -one.combined)


def pooled(ballots: Iterable[Ballot], expected: Expectation, threshold: float = POOLED) -> list[Suspicion]:
    """The same of everybody's votes of one day: has a model won more than before? `expected` is from earlier days."""
    votes: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for ballot in ballots:
        for one, other, score in _both_ways(ballot):
            votes[one].append((score, *expected.of(one, other)))
    lines = [
        Suspicion(model, len(seen), z := _z(seen, expected.votes_of(model)), 0.0, abs(z), abs(z) > threshold)
        for model, seen in votes.items()
    ]
    return sorted(lines, key=lambda one: -one.combined)


def met_too_often(met: int, cast: int, probability: float) -> float:
    """z of meeting a model `met` times in `cast` votes or more often, from the exact binomial tail (mid-p)."""
    if not 0 < probability < 1 or not cast:
        return 0.0
    tail = 0.5 * _binomial(met, cast, probability) + sum(
        _binomial(k, cast, probability) for k in range(met + 1, cast + 1)
    )
    return _quantile(min(max(tail, 1e-12), 1 - 1e-12))


def _binomial(k: int, n: int, p: float) -> float:
    log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(log + k * math.log(p) + (n - k) * math.log1p(-p))


def _quantile(tail: float) -> float:
    """The z whose upper tail is `tail`, by bisection."""
    low, high = -8.0, 8.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 0.5 * math.erfc(middle / math.sqrt(2)) > tail else (low, middle)
    return low


def _z(seen: list[tuple[float, float, float]], rests_on: float) -> float:
    """z of the excess over what was expected, which is itself known from `rests_on` votes of the model only."""
    excess = math.fsum(score - mean for score, mean, _ in seen)
    variance = math.fsum(variance for _, _, variance in seen)
    return excess / math.sqrt(variance * (1 + len(seen) / (rests_on + _PRIOR)))


def _both_ways(ballot: Ballot) -> tuple[tuple[str, str, float], tuple[str, str, float]]:
    return (ballot.left, ballot.right, ballot.score), (ballot.right, ballot.left, 1.0 - ballot.score)
