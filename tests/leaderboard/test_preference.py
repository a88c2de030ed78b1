from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.preference import (
    Side,
    kendall_tau_b,
    length_preference,
    position_preference,
    preference_gap,
    spearman,
    swap_consistency,
)
from tests.leaderboard.votes import expected, read_rows
from tests.shared import shared_data


def test_the_winner_on_the_same_side_twice_is_a_flip() -> None:
    found = swap_consistency(
        [
            ("left", "right"),
            ("tie", "tie"),
            ("left", "left"),
            ("right", "right"),
            ("left", "tie"),
            (None, "left"),
        ]
    )
    assert (found.consistent, found.left, found.right, found.one_tie, found.error) == (2, 1, 1, 1, 1)
    assert found.flipped == 2
    assert found.rate is not None
    assert found.rate.value == 0.4


def test_no_pair_of_games_has_no_rate() -> None:
    assert swap_consistency([]).rate is None
    assert swap_consistency([(None, None)]).rate is None


def test_the_order_consistency_of_a_judge_ensemble_is_as_expected() -> None:
    def side(label: str | None) -> Side | None:
        if not label:
            return None
        return "tie" if label == "A=B" else "left" if label.startswith("A>") else "right"

    with gzip.open(shared_data("ko_arena_hard/judgments_ensemble.jsonl.gz"), "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    found = swap_consistency((side(row["game1"]), side(row["game2"])) for row in rows)
    want = expected("ko_arena_hard")["order_consistency"]
    assert found.consistent == want["consistent"]
    assert found.flipped == want["flipped"]
    assert found.one_tie == want["one_tie"]
    assert found.error == want["only_one_game"]


def test_a_judge_that_likes_the_left_answer_is_found_out() -> None:
    weak = position_preference(winner for _, _, winner in read_rows("llmfao/judge_gpt35.csv"))  # type: ignore[misc]
    assert weak is not None
    assert weak.value == pytest.approx(909 / 1299)
    assert weak.low > 0.5
    assert position_preference(["tie"]) is None


def test_length_preference_counts_the_longer_answer_wherever_it_stands() -> None:
    found = length_preference(
        [("left", 9, 1), ("right", 1, 9), ("right", 9, 1), ("tie", 9, 1), ("left", 5, 5), ("left", 2, 1)]
    )
    assert found is not None
    assert found.value == 0.75
    assert length_preference([("left", 5, 5)]) is None


def test_self_preference_is_the_judges_gift_over_the_peoples() -> None:
    found = preference_gap([1, 1, 1, 0], [0, 1, 0.5, 0], ["q1", "q1", "q2", "q3"])
    assert found is not None
    assert found.value == pytest.approx(0.375)
    assert found.low < 0.375 < found.high
    assert preference_gap([1], [0], ["q1"]) is None
    assert preference_gap([], [], []) is None


def test_rank_correlations_of_people_and_judges_are_as_expected() -> None:
    golden = expected("llmfao")
    people = {row["model"]: row["bt_elo_scale"] for row in golden["ratings_human"]}
    for judge in ("judge_gpt4", "judge_gpt35"):
        ratings = {row["model"]: row["bt_elo_scale"] for row in golden[judge]["ratings"]}
        x, y = [people[name] for name in ratings], list(ratings.values())
        want = golden[judge]["rank_correlation_with_human_bt"]
        assert kendall_tau_b(x, y) == pytest.approx(want["kendall_tau_b"], abs=1e-6)
        assert spearman(x, y) == pytest.approx(want["spearman"], abs=1e-6)


def test_ties_are_ranked_at_their_mean() -> None:
    # Kendall 1945's form: x = 1 2 2 3, y = 1 2 3 3 has tau-b 4/5 and rho 0.8333.
    assert kendall_tau_b([1, 2, 2, 3], [1, 2, 3, 3]) == pytest.approx(0.8)
    assert spearman([1, 2, 2, 3], [1, 2, 3, 3]) == pytest.approx(0.8333333)


def test_a_constant_ranking_correlates_with_nothing() -> None:
    assert kendall_tau_b([1, 1], [1, 2]) is None
    assert spearman([1, 2], [3, 3]) is None


@given(st.permutations(range(8)))
def test_a_ranking_agrees_with_itself_and_opposes_its_reverse(order: list[int]) -> None:
    values = np.array(order)
    assert kendall_tau_b(values, 2 * values) == pytest.approx(1)
    assert spearman(values, -values) == pytest.approx(-1)
