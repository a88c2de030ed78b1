"""The parts behind the front of the ratings: solver, covariance, components, bootstrap, live votes, fragility."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leaderboard.bradley_terry import POINTS_PER_UNIT, rate
from leaderboard.bt.bootstrap import bootstrap
from leaderboard.bt.components import strong_components
from leaderboard.bt.davidson import fit_davidson
from leaderboard.bt.fragility import fragility
from leaderboard.bt.likelihood import (
    NoMaximumError,
    fit,
    inverse_information,
    inverse_spd,
    maximum_likelihood,
    sandwich,
    sandwich_variances,
    score_variance,
)
from leaderboard.bt.live import LiveStrengths
from leaderboard.pair_counts import PairCounts
from tests.leaderboard.votes import counted, synthetic, votes_of


@pytest.mark.parametrize("size", [3, 40, 90, 150])
def test_the_gradient_vanishes_at_the_maximum(size: int) -> None:
    counts = counted(200 * size, size)
    theta = maximum_likelihood(counts.battles, counts.points)
    p = 1 / (1 + np.exp(np.subtract.outer(theta, theta).T))
    assert (counts.battles * p).sum(axis=1) == pytest.approx(counts.points.sum(axis=1), abs=1e-6)
    assert theta.mean() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 40, 90, 150])
@pytest.mark.parametrize("weighted", [False, True])
def test_one_look_at_the_counts_gives_what_its_parts_give(size: int, weighted: bool) -> None:
    counts = counted(200 * size, size) if size > 1 else PairCounts.empty(["alone"])
    weights = 1 / np.maximum(counts.battles, 5.0) if weighted else None
    w = 1.0 if weights is None else weights
    found = fit(counts.wins, counts.ties, weights)
    theta = maximum_likelihood(w * counts.battles, w * counts.points)
    assert found.theta == pytest.approx(theta, abs=1e-9)
    if size > 1:
        inverse = inverse_information(counts.battles, theta, weights)
        score = score_variance(counts.wins, counts.ties, theta, weights)
        expected = np.diag(sandwich(inverse, score))
        assert sandwich_variances(found.inverse, found.score) == pytest.approx(expected, rel=3e-6)


def test_a_warm_start_ends_where_a_cold_one_does() -> None:
    counts = counted(20_000, 60)
    cold = fit(counts.wins, counts.ties)
    assert fit(counts.wins, counts.ties, start=cold.theta).theta == pytest.approx(cold.theta, abs=1e-10)


def test_without_a_finite_maximum_the_solver_says_so() -> None:
    counts = votes_of("a>b 5")
    with pytest.raises(NoMaximumError, match="core"):
        maximum_likelihood(counts.battles, counts.points)


def test_the_sandwich_equals_the_one_over_rows() -> None:
    left, right, outcome = synthetic(3000, 6)
    counts = counted(3000, 6)
    theta = maximum_likelihood(counts.battles, counts.points)
    design = np.zeros((3000, 6))
    design[np.arange(3000), left], design[np.arange(3000), right] = 1, -1
    p = 1 / (1 + np.exp(-design @ theta))
    y = np.choose(outcome, [1.0, 0.0, 0.5])
    bread = np.linalg.pinv(design.T @ (design * (p * (1 - p))[:, None]))
    rows = bread @ (design.T @ (design * ((y - p) ** 2)[:, None])) @ bread
    inverse, score = (
        inverse_information(counts.battles, theta),
        score_variance(counts.wins, counts.ties, theta),
    )
    assert sandwich(inverse, score) == pytest.approx(rows, abs=1e-12)
    assert sandwich_variances(inverse, score) == pytest.approx(np.diag(rows), abs=1e-12)


def test_inversion_by_halves_is_an_inversion() -> None:
    random = np.random.default_rng(0).normal(size=(200, 200))
    matrix = random @ random.T + np.eye(200)
    assert inverse_spd(matrix) @ matrix == pytest.approx(np.eye(200), abs=1e-8)


@settings(max_examples=25)
@given(st.integers(0, 200))
def test_one_more_vote_equals_a_refit(seed: int) -> None:
    counts = counted(300, 5, seed=7)
    random = np.random.default_rng(seed)
    live = LiveStrengths.of(counts.battles, counts.points)
    for _ in range(5):
        i, j = random.choice(5, 2, replace=False)
        live = live.after(int(i), int(j), float(random.choice([0, 0.5, 1])))
    assert live.theta == pytest.approx(maximum_likelihood(live.battles, live.points), abs=1e-8)
    assert live.inverse == pytest.approx(inverse_information(live.battles, live.theta), abs=2e-3)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40))
def test_components_are_those_of_mutual_reachability(edges: list[tuple[int, int]]) -> None:
    points = np.zeros((10, 10))
    for i, j in edges:
        points[i, j] = float(i != j)
    reach = np.linalg.matrix_power(np.eye(10, dtype=int) + (points > 0), 10) > 0
    label = strong_components(points)
    assert np.array_equal(label[:, None] == label, reach & reach.T)
    sizes = np.bincount(label)
    assert (np.diff(sizes) <= 0).all()


def test_of_two_components_of_a_size_the_one_with_more_votes_is_the_core() -> None:
    counts = votes_of("a>b", "b>a", "x>y 5", "y>x 5")
    assert strong_components(counts.points).tolist() == [1, 1, 0, 0]


def test_the_bootstrap_agrees_with_the_sandwich() -> None:
    counts = counted(20_000, 8)
    table = rate(counts)
    draws = bootstrap(counts.wins, counts.ties, table.strengths, rounds=400)
    assert draws.n_infinite == 0
    assert draws.draws.std(axis=0) == pytest.approx(np.sqrt(np.diag(table.covariance)), rel=0.12)
    low, high = draws.interval()
    assert low * POINTS_PER_UNIT + 1000 == pytest.approx([row.low for row in table.rows], abs=2)
    assert (high > low).all()


def test_bootstrap_rounds_without_finite_ratings_are_counted() -> None:
    counts = votes_of("a>b 9", "b>a 1")
    draws = bootstrap(counts.wins, counts.ties, rate(counts).strengths, rounds=200)
    assert pytest.approx(draws.n_infinite, abs=30) == 200 * 0.9**10
    assert len(draws.draws) == 200 - draws.n_infinite


def test_davidsons_covariance_agrees_with_resampling() -> None:
    counts = counted(4000, 4)
    fit = fit_davidson(counts.wins, counts.ties)
    random = np.random.default_rng(1)
    cells = np.concatenate([counts.wins.ravel(), np.triu(counts.ties).ravel()])
    draws = []
    for sample in random.multinomial(4000, cells / cells.sum(), size=200).astype(float):
        wins, ties = sample.reshape(2, 4, 4)
        draws.append(fit_davidson(wins, ties + ties.T, fit.theta).theta)
    assert np.std(draws, axis=0) == pytest.approx(np.sqrt(np.diag(fit.covariance)), rel=0.2)


def test_davidson_needs_a_tie_and_a_win() -> None:
    for counts in (votes_of("a=b 3"), votes_of("a>b", "b>a")):
        with pytest.raises(NoMaximumError, match="use Bradley-Terry"):
            fit_davidson(counts.wins, counts.ties)


def test_a_thin_lead_falls_with_the_votes_that_make_it() -> None:
    found = fragility(votes_of("a>b 52", "b>a 48", "a>c 60", "c>a 40", "b>c 60", "c>b 40"))
    assert found is not None
    assert (found.leader, found.rival) == ("a", "b")
    assert found.votes == sum(drop.votes for drop in found.dropped) == 5  # four would make a tie
    assert found.share == 5 / 300
    assert (found.dropped[0].winner, found.dropped[0].loser) == ("a", "b")


@pytest.mark.parametrize("seed", range(4))
def test_the_dropped_votes_truly_flip_rank_one_and_one_fewer_does_not(seed: int) -> None:
    counts = counted(3000, 8, seed=seed)
    found = fragility(counts)
    assert found is not None
    order = {name: i for i, name in enumerate(counts.models)}
    wins, ties = counts.wins.copy(), counts.ties.copy()
    for drop in found.dropped:
        i, j = order[drop.winner], order[drop.loser]
        if drop.tie:
            ties[i, j] -= drop.votes
            ties[j, i] -= drop.votes
        else:
            wins[i, j] -= drop.votes
    points = wins + ties / 2
    theta = maximum_likelihood(points + points.T, points)
    gap = theta[order[found.rival]] - theta[order[found.leader]]
    assert gap * POINTS_PER_UNIT == pytest.approx(found.rival_gap, abs=1e-6)
    assert gap > 0


def test_a_lone_model_has_no_rank_to_lose() -> None:
    assert fragility(votes_of("a>b")) is None


@pytest.mark.parametrize("seed", range(3))
def test_in_a_sparse_arena_bystanders_may_fall_out_of_the_core(seed: int) -> None:
    found = fragility(counted(1500, 150, seed=seed, tie_share=0.1))
    assert found is not None
    assert found.rival_gap is None or found.rival_gap > 0
    assert found.votes < 30


def test_a_leader_can_be_unseated_by_losing_its_rating() -> None:
    found = fragility(votes_of("a>b 2", "b>a 1", "b>c 9", "c>b 9"))
    assert found is not None
    assert (found.leader, found.votes, found.rival_gap) == ("a", 2, None)
