"""Voters and days that push one model, in the shipped simulation."""

from __future__ import annotations

import random

import pytest

from arena.rigging import Ballot, Expectation, met_too_often, pooled, suspicions
from arena.simulation import arena_of, day_table, voter_table


def test_target_only_voters_are_all_caught_from_five_votes_with_one_honest_in_100() -> None:
    table = {(row.who, row.votes): row.share for row in voter_table()}
    assert [table["target-only", votes] for votes in (5, 20, 50, 100)] == [1.0] * 4
    assert max(table["honest", votes] for votes in (5, 20, 50, 100)) <= 0.01


def test_thirty_pushed_votes_in_a_day_of_200_are_seen() -> None:
    table = {(row.who, row.votes): row.share for row in day_table(days=60)}
    assert table["a day of 200 votes", 30] >= 0.95
    assert table["a day of 200 votes", 0] <= 0.02


def test_it_does_not_matter_which_side_or_name_comes_first() -> None:
    arena, draw = arena_of(10), random.Random(3)
    expected = Expectation(arena.ballots(2000, draw))
    votes = list(arena.ballots(60, draw))
    turned = [Ballot(one.right, one.left, 1 - one.score) for one in votes]
    shares = dict.fromkeys(arena.strengths, 0.2)
    one, other = suspicions(votes, expected, shares), suspicions(turned, expected, shares)
    assert [(a.model, pytest.approx(a.combined)) for a in one] == [(b.model, b.combined) for b in other]


def test_pushing_a_model_down_is_caught_as_well() -> None:
    arena, draw = arena_of(30), random.Random(5)
    expected = Expectation(arena.ballots(5000, draw))
    down = [Ballot(b.left, b.right, 1 - b.score) for b in arena.attack("model-15", 8, "target-only", draw)]
    found = suspicions(down, expected, dict.fromkeys(arena.strengths, 2 / 30))
    assert [(one.model, one.flagged) for one in found] == [("model-15", True)]


def test_four_votes_are_never_enough() -> None:
    expected = Expectation([])
    assert suspicions([Ballot("a", f"r{k}", 1.0) for k in range(4)], expected, {"a": 0.01}) == []


def test_the_binomial_tail_is_exact() -> None:
    # P(X > 5) + P(X = 5) / 2 for 5 of 5 at 1/2 is 1/64: z = 2.1539 (normal quantile of 63/64).
    assert met_too_often(5, 5, 0.5) == pytest.approx(2.1539, abs=1e-3)
    assert met_too_often(1, 10, 0.5) < 0
    assert met_too_often(5, 5, 1.0) == 0


def test_what_was_added_can_be_taken_away() -> None:
    arena, draw = arena_of(6), random.Random(1)
    votes, own = list(arena.ballots(300, draw)), list(arena.ballots(20, draw))
    expected, without = Expectation([*votes, *own]), Expectation(votes)
    expected.add(own, -1)
    assert expected.of("model-00", "model-05") == pytest.approx(without.of("model-00", "model-05"))


def test_a_quiet_day_flags_nothing() -> None:
    assert pooled([], Expectation([])) == []
