"""The spread of an online Elo, held against resampled votes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from leaderboard.elo import START, replay
from leaderboard.elo_spread import standard_errors
from leaderboard.inference import Floats
from leaderboard.pair_counts import PairCounts
from tests.leaderboard.votes import counted, names, synthetic

SCORE = np.array([1.0, 0.0, 0.5, 0.5])


def resampled(n: int, m: int, rounds: int = 60, tie_share: float = 0.25) -> tuple[Floats, Floats]:
    """The Elo of synthetic votes, and its standard deviation over resamples of them in random order."""
    left, right, outcome = synthetic(n, m, seed=3, tie_share=tie_share)
    random = np.random.default_rng(0)
    draws = []
    for _ in range(rounds):
        drawn = random.integers(0, n, n)
        draws.append(replay(left[drawn], right[drawn], SCORE[outcome[drawn]], [START] * m))
    return replay(left, right, SCORE[outcome], [START] * m), np.std(draws, axis=0, ddof=1)


@pytest.mark.parametrize(("n", "tie_share"), [(300, 0.25), (3000, 0.25), (3000, 0.0), (12_000, 0.6)])
def test_it_is_what_a_bootstrap_of_votes_in_random_order_gives(n: int, tie_share: float) -> None:
    m = 8
    ratings, spread = resampled(n, m, tie_share=tie_share)
    found = standard_errors(PairCounts.from_votes(names(m), *synthetic(n, m, 3, tie_share)), ratings)
    # Sixty resamples know a standard deviation to within a tenth; over eight models the mean ratio to within 5 %.
    assert float(np.mean(found / spread)) == pytest.approx(1.0, abs=0.1)
    assert float(np.abs(np.log(found / spread)).max()) < 0.4


def test_many_votes_do_not_make_it_more_exact() -> None:
    counts = counted(1000, 5, tie_share=0.0)
    far = PairCounts(counts.models, counts.wins * 1000, counts.ties * 1000, counts.both_bad * 1000)
    level = PairCounts(far.models, (far.wins + far.wins.T) / 2, far.ties, far.both_bad)
    found = standard_errors(level, np.full(5, START))
    # The sum of all ratings never moves: one of five directions has no noise.
    assert found == pytest.approx(np.full(5, math.sqrt(4 / (2 * math.log(10) / 400) * (1 - 1 / 5))), rel=1e-3)


def test_a_model_without_votes_has_not_moved() -> None:
    counts = counted(50, 3)
    more = PairCounts.empty((*counts.models, "idle")).plus(counts)
    assert standard_errors(more, np.full(4, START))[3] == pytest.approx(0.0, abs=1e-6)
    assert standard_errors(PairCounts.empty(("a", "b")), np.full(2, START)).tolist() == [0.0, 0.0]
