from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.elo import EloState, expected_score, replay
from leaderboard.pair_counts import OUTCOMES, Outcome
from tests.leaderboard.votes import Row, connected_votes, expected, names, read_rows, synthetic


def numbered(rows: list[Row]) -> list[tuple[int, str, str, Outcome]]:
    return [(i, left, right, winner) for i, (left, right, winner) in enumerate(rows, start=1)]  # type: ignore[misc]


def test_the_first_win_between_equals_is_worth_two_points() -> None:
    state = EloState().after([(1, "a", "b", "left")])
    assert state == EloState({"a": 1002.0, "b": 998.0}, upto=1, n_votes=1)


def test_the_toy_tables_give_the_published_elo() -> None:
    for name in ("simple", "food"):
        state = EloState().after(numbered(read_rows(f"evalica_toy/{name}.csv")))
        assert state.ratings == pytest.approx(expected("evalica_toy")[name]["elo_k4"], abs=1e-5)


def test_crowd_and_judge_votes_give_the_expected_elo() -> None:
    golden = expected("llmfao")
    files = {
        "ratings_human": "votes.csv.gz",
        "judge_gpt4": "judge_gpt4.csv",
        "judge_gpt35": "judge_gpt35.csv",
    }
    for key, file in files.items():
        rows = golden[key] if key == "ratings_human" else golden[key]["ratings"]
        state = EloState().after(numbered(read_rows(f"llmfao/{file}")))
        assert state.ratings == pytest.approx({row["model"]: row["elo_online_k4"] for row in rows}, abs=1e-5)


def test_another_implementation_agrees_to_the_last_digits() -> None:
    evalica = pytest.importorskip("evalica")
    left, right, outcome = synthetic(5000, 10)
    winners = [(evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw)[code] for code in outcome]
    models = names(10)
    theirs = evalica.elo([models[i] for i in left], [models[i] for i in right], winners, k=4.0).scores
    ours = replay(left, right, np.choose(outcome, [1.0, 0.0, 0.5]), [1000.0] * 10)
    assert ours == pytest.approx(theirs.loc[list(models)].to_numpy(), abs=1e-9)


@given(connected_votes(), st.integers(0, 44))
def test_continuing_from_a_stored_state_is_a_replay_of_everything(votes: list[tuple[int, int, int]], cut: int) -> None:
    rows = numbered([(names(4)[a], names(4)[b], OUTCOMES[code]) for a, b, code in votes])
    assert EloState().after(rows[:cut]).after(rows[cut:]) == EloState().after(rows)


@given(connected_votes())
def test_points_are_handed_over_and_never_made(votes: list[tuple[int, int, int]]) -> None:
    left, right, code = np.array(votes).T
    assert replay(left, right, np.choose(code, [1.0, 0.0, 0.5, 0.5]), [1000.0] * 4).sum() == pytest.approx(4000)


def test_elo_depends_on_the_order_of_the_votes() -> None:
    first = replay([0, 1], [1, 2], [1, 1], [1000.0] * 3)
    second = replay([1, 0], [2, 1], [1, 1], [1000.0] * 3)
    assert first.tolist() != second.tolist()


def test_votes_out_of_order_are_refused() -> None:
    state = EloState().after([(7, "a", "b", "tie")])
    with pytest.raises(ValueError, match="order of their ids"):
        state.after([(7, "a", "b", "left")])
    with pytest.raises(ValueError, match="with itself"):
        state.after([(8, "a", "a", "left")])


def test_columns_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one entry per vote"):
        replay([0], [1, 0], [1.0], [1000.0, 1000.0])
    with pytest.raises(ValueError, match="outside the 2"):
        replay([0], [2], [1.0], [1000.0, 1000.0])


def test_four_hundred_points_are_ten_to_one() -> None:
    assert expected_score(1400, 1000) == pytest.approx(10 / 11)
    assert expected_score(0, 1e9) == pytest.approx(0)
