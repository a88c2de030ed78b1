"""How far a judge can be trusted: position, length, self-preference, noise, and order on answers of known
quality.

Every share comes with its counts and a 95 % Wilson interval. The language rule is here as well: it is
applied by code to the score, never left to the judge.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from judging.formats.protocols import Penalty
from judging.formats.rows import PairJudgment, Side

Z = 1.959963984540054


@dataclass(frozen=True)
class Share:
    """`hits` of `n` with a 95 % Wilson interval; the share is None when n is 0."""

    hits: float
    n: int

    @property
    def value(self) -> float | None:
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson (1927) score interval, 95 %."""
        if not self.n:
            return None
        share, z2 = self.hits / self.n, Z * Z
        middle = (share + z2 / (2 * self.n)) / (1 + z2 / self.n)
        half = Z * math.sqrt(share * (1 - share) / self.n + z2 / (4 * self.n**2)) / (1 + z2 / self.n)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Position:
    """Pairs judged in both orders (MT-Bench, table 2): same winner; the first or the second place preferred.

    `mixed` are pairs with a tie in one order only, `failed` those without two verdicts (in no share).
    """

    consistent: Share
    prefers_first: Share
    prefers_second: Share
    mixed: Share
    failed: int


def position(judgments: Iterable[PairJudgment]) -> Position:
    """What the order of the two answers does to the verdict. Pairs shown in one order only count
    as failed.
    """
    counts = {"consistent": 0, "first": 0, "second": 0, "mixed": 0}
    failed = 0
    for judgment in judgments:
        if judgment.consistent is None:
            failed += 1
        elif judgment.consistent:
            counts["consistent"] += 1
        else:
            places = {_place(game.first, game.winner) for game in judgment.games}
            counts[places.pop() if len(places) == 1 else "mixed"] += 1
    n = sum(counts.values())
    consistent, first, second, mixed = (Share(count, n) for count in counts.values())
    return Position(consistent, first, second, mixed, failed)


def _place(first: Side, winner: Side | Literal["tie"] | None) -> str:
    if winner == "tie":
        return "mixed"
    return "first" if winner == first else "second"


@dataclass(frozen=True)
class Length:
    """Decisive verdicts between answers of different length; a half is what a judge blind to length shows.

    Longer answers may be better ones: the share is a figure to compare judges by, not a fault by itself.
    """

    longer_wins: Share
    equal_length: int


def length(verdicts: Iterable[tuple[int, int, Side | Literal["tie"] | None]]) -> Length:
    """From (characters left, characters right, winner): how often the longer answer wins, ties left out."""
    hits = n = equal = 0
    for left, right, winner in verdicts:
        if winner not in ("left", "right"):
            continue
        if left == right:
            equal += 1
            continue
        n += 1
        hits += (winner == "left") == (left > right)
    return Length(Share(hits, n), equal)


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's correlation with mean ranks for ties, as of length and rating; None where one side is
    constant.
    """
    first, second = (_ranks([pair[side] for pair in pairs]) for side in (0, 1))
    n = len(pairs)
    mean = (n + 1) / 2
    across = sum((a - mean) * (b - mean) for a, b in zip(first, second, strict=True))
    spread = math.sqrt(sum((a - mean) ** 2 for a in first) * sum((b - mean) ** 2 for b in second))
    return across / spread if spread else None


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or values[order[end]] != values[order[start]]:
            for index in order[start:end]:
                ranks[index] = (start + 1 + end) / 2
            start = end
    return ranks


@dataclass(frozen=True)
class SelfPreference:
    """Win share (ties half) of the judge's own family by this judge, and by others on the same pairs.

    `difference` is own minus others, in shares; `interval` is 95 %, from the paired differences.
    """

    by_judge: Share
    by_others: Share
    difference: float | None
    interval: tuple[float, float] | None


def self_preference(points: Iterable[tuple[float, float]]) -> SelfPreference:
    """From (points by the judge, points by others) of the own family's answer, 0 to 1, one pair of answers
    each.

    Others are people or judges of other families on the same pair; their mean may be given. Pairs where both
    or neither answer is of the judge's family say nothing and must be left out.
    """
    rows = list(points)
    own, others = sum(row[0] for row in rows), sum(row[1] for row in rows)
    n = len(rows)
    if not n:
        return SelfPreference(Share(0, 0), Share(0, 0), None, None)
    difference = (own - others) / n
    interval = None
    if n > 1:
        variance = sum((row[0] - row[1] - difference) ** 2 for row in rows) / (n - 1)
        half = Z * math.sqrt(variance / n)
        interval = (difference - half, difference + half)
    return SelfPreference(Share(own, n), Share(others, n), difference, interval)


@dataclass(frozen=True)
class NoiseFloor:
    """How much a judge's rating of one and the same turn moves between repeats.

    `deviation` is the pooled standard deviation within a turn, in points; None without a turn judged twice.
    `repeats` is the mean number of ratings per turn, `agreement` the share of equal pairs of repeats.
    """

    deviation: float | None
    turns: int
    repeats: float
    agreement: Share

    def margin(self, turns: int, repeats: float | None = None) -> float | None:
        """The ± (95 %) that judging noise alone puts on a mean over `turns`, each judged `repeats` times.

        It says nothing of the choice of questions: that is the bootstrap's interval.
        """
        repeats = self.repeats if repeats is None else repeats
        if self.deviation is None or turns < 1 or repeats <= 0:
            return None
        return Z * self.deviation / math.sqrt(turns * repeats)

    def is_noise(self, difference: float, turns: int, repeats: float | None = None) -> bool:
        """Whether a difference of two such means is within the noise (to be greyed): below √2 times the ±."""
        margin = self.margin(turns, repeats)
        return margin is not None and abs(difference) < math.sqrt(2) * margin


def noise_floor(repeats: Iterable[Sequence[float | None]]) -> NoiseFloor:
    """The noise of a judge from the ratings of each turn, judged again and again; failures (None) are left
    out.
    """
    squares = 0.0
    freedom = turns = ratings = pairs = equal = 0
    for told in repeats:
        scores = [score for score in told if score is not None]
        if not scores:
            continue
        turns += 1
        ratings += len(scores)
        mean = sum(scores) / len(scores)
        squares += sum((score - mean) ** 2 for score in scores)
        freedom += len(scores) - 1
        pairs += len(scores) * (len(scores) - 1) // 2
        equal += sum(a == b for index, a in enumerate(scores) for b in scores[index + 1 :])
    deviation = math.sqrt(squares / freedom) if freedom else None
    return NoiseFloor(deviation, turns, ratings / turns if turns else 0.0, Share(equal, pairs))


Quality = Literal["complete", "terse", "wrong", "english", "better", "worse"]
# Which of two answers of known quality is the better one. Terse against English is the language rule's
# business, English against wrong nobody's: those pairs are not counted. Better and worse are gold labels of a pair.
KNOWN_ORDER: tuple[tuple[Quality, Quality], ...] = (
    ("complete", "terse"),
    ("complete", "wrong"),
    ("complete", "english"),
    ("terse", "wrong"),
    ("better", "worse"),
)


@dataclass(frozen=True)
class KnownOrder:
    """How often a judge puts two answers of known quality in their order. A tie is no hit and is counted.

    `pairs` is the same by kind of pair; `missing` pairs lack a verdict and are in no share.
    """

    hits: Share
    ties: int
    missing: int
    pairs: Mapping[tuple[Quality, Quality], Share]


def known_order(
    scores: Iterable[Mapping[Quality, float | None]],
    order: Sequence[tuple[Quality, Quality]] = KNOWN_ORDER,
) -> KnownOrder:
    """The hit rate from one mapping per question and turn, quality to score (after the language rule)."""
    hits, counts = dict.fromkeys(order, 0), dict.fromkeys(order, 0)
    ties = missing = 0
    for told in scores:
        for pair in order:
            if pair[0] not in told or pair[1] not in told:
                continue
            better, worse = told[pair[0]], told[pair[1]]
            if better is None or worse is None:
                missing += 1
                continue
            counts[pair] += 1
            hits[pair] += better > worse
            ties += better == worse
    total = Share(sum(hits.values()), sum(counts.values()))
    return KnownOrder(total, ties, missing, {pair: Share(hits[pair], counts[pair]) for pair in order})


def penalised(score: float | None, korean: bool | None, rule: Penalty, *, exempt: bool = False) -> float | None:
    """A score under the language rule: untouched, its square root (KoMT-Bench), or 0 (LogicKor) if not
    Korean.

    `korean` is False only for an answer known not to be (`runners.korean`). Exempt questions (code, or text
    asked for in another language) and answers whose language cannot be told keep their score, and so does a
    failed verdict (None). A negative score has no root and is kept.
    """
    if score is None or korean is not False or exempt or rule == "none":
        return score
    if rule == "zero":
        return 0.0
    return math.sqrt(score) if score > 0 else score
