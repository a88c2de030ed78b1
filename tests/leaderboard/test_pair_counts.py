from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.pair_counts import PairCounts
from tests.leaderboard.votes import connected_votes, counted, names, synthetic, votes_of


def test_votes_are_counted_per_ordered_pair() -> None:
    counts = votes_of("a>b 3", "b>a 1", "a=b 2", "b x a 1")
    assert counts.wins.tolist() == [[0, 3], [1, 0]]
    assert counts.ties.tolist() == [[0, 3], [3, 0]]
    assert counts.both_bad.tolist() == [[0, 1], [1, 0]]
    assert counts.n_votes == 7


def test_a_right_hand_win_counts_for_the_right_model() -> None:
    assert PairCounts.from_groups([("a", "b", "right", 2)]).wins.tolist() == [[0, 0], [2, 0]]


def test_points_of_both_sides_add_up_to_the_battles() -> None:
    counts = counted(1000, 7)
    assert np.array_equal(counts.points + counts.points.T, counts.battles)


def test_bad_votes_are_refused_with_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="outside the 2"):
        PairCounts.from_votes(["a", "b"], [0], [2], [0])
    with pytest.raises(ValueError, match="outcome code"):
        PairCounts.from_votes(["a", "b"], [0], [1], [4])
    with pytest.raises(ValueError, match="with itself"):
        PairCounts.from_votes(["a", "b"], [1], [1], [0])
    with pytest.raises(ValueError, match="unknown outcome 'draw'"):
        PairCounts.from_groups([("a", "b", "draw", 1)])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="once only"):
        PairCounts.empty(["a", "a"])


@given(connected_votes(), st.integers(0, 44))
def test_counts_added_in_parts_equal_a_recount(votes: list[tuple[int, int, int]], cut: int) -> None:
    def count(part: list[tuple[int, int, int]]) -> PairCounts:
        return PairCounts.from_votes(names(4), *np.array(part, dtype=int).reshape(-1, 3).T)

    merged = count(votes[:cut]).plus(count(votes[cut:]))
    assert merged.digest() == count(votes).digest()
    assert merged.minus(count(votes[cut:])).digest() == count(votes[:cut]).digest()


def test_taking_out_more_than_was_counted_is_refused() -> None:
    with pytest.raises(ValueError, match="more votes on"):
        votes_of("a>b").minus(votes_of("a>b 2"))


def test_an_exclusion_is_a_negative_weight() -> None:
    left, right, outcome = synthetic(500, 5)
    weights = np.ones(500)
    increment = PairCounts.from_votes(names(5), left[:9], right[:9], outcome[:9], -weights[:9])
    whole = PairCounts.from_votes(names(5), left, right, outcome, weights)
    assert whole.plus(increment).digest() == PairCounts.from_votes(names(5), left[9:], right[9:], outcome[9:]).digest()


def test_counts_of_different_models_merge_over_the_union() -> None:
    merged = votes_of("a>b").plus(votes_of("c>a 2"))
    assert merged.models == ("a", "b", "c")
    assert merged.wins[2, 0] == 2


def test_the_digest_ignores_the_order_of_models_and_models_without_votes() -> None:
    assert votes_of("a>b 2", "c>b").digest() == votes_of("c>b", "a>b", "a>b").plus(PairCounts.empty(["z"])).digest()
    assert votes_of("a>b").digest() != votes_of("b>a").digest()
    assert votes_of("a=b").digest() != votes_of("a x b").digest()


def test_a_selection_keeps_the_votes_among_its_own() -> None:
    assert votes_of("a>b 2", "b>c 5", "a=c").only(["c", "a"]).ties.tolist() == [[0, 1], [1, 0]]
