from __future__ import annotations

import json

import numpy as np
import pytest

from leaderboard.bradley_terry import PairCounts, rate
from leaderboard.pair_counts import OUTCOMES
from leaderboard.ppi import CombinedTable, Verdicts, combine
from tests.leaderboard.votes import names
from tests.shared import shared_data

THETA = np.array([0.8, 0.3, 0.0, -0.4, -0.7])


def battles(n: int, random: np.random.Generator, agreement: float, taste: np.ndarray) -> tuple[np.ndarray, ...]:
    """n battles: left, right, people's outcome code and the judge's score of the left.

    The judge repeats the people's vote on a share `agreement` of battles; else it follows its own biased `taste`.
    """
    left = random.integers(0, 5, n)
    right = (left + random.integers(1, 5, n)) % 5
    wins = random.random(n) < 1 / (1 + np.exp(THETA[right] - THETA[left]))
    outcome = np.where(random.random(n) < 0.2, 2, np.where(wins, 0, 1))
    own = (random.random(n) < 1 / (1 + np.exp(taste[right] - taste[left]))).astype(float)
    judge = np.where(random.random(n) < agreement, np.choose(outcome, [1.0, 0.0, 0.5]), own)
    return left, right, outcome, judge


def combined(votes: int, verdicts: int, agreement: float, seed: int, taste: np.ndarray = -THETA) -> CombinedTable:
    left, right, outcome, judge = battles(votes + verdicts, np.random.default_rng(seed), agreement, taste)
    return combine(
        names(5),
        Verdicts(left[:votes], right[:votes], judge[:votes]),
        outcome[:votes],
        Verdicts(left[votes:], right[votes:], judge[votes:]),
    )


def alone(votes: int, verdicts: int, agreement: float, seed: int) -> tuple[PairCounts, CombinedTable]:
    left, right, outcome, _ = battles(votes + verdicts, np.random.default_rng(seed), agreement, -THETA)
    counts = PairCounts.from_votes(names(5), left[:votes], right[:votes], outcome[:votes])
    return counts, combined(votes, verdicts, agreement, seed)


def test_a_judge_that_agrees_narrows_the_intervals() -> None:
    found = combined(400, 20_000, 0.8, seed=0)
    assert found.weight > 0.6
    assert found.width_ratio is not None
    assert found.width_ratio < 0.75
    assert (found.n_votes, found.n_verdicts) == (400, 20_400)


def test_a_judge_that_agrees_more_is_trusted_more() -> None:
    ratios = [combined(800, 20_000, share, seed=1).width_ratio for share in (0.2, 0.5, 0.9)]
    assert ratios == sorted(ratios, reverse=True)  # type: ignore[type-var]


def test_a_judge_that_knows_nothing_of_people_changes_little() -> None:
    counts, found = alone(2000, 20_000, 0.0, seed=2)
    plain = rate(counts)
    assert found.weight < 0.1
    assert [row.rating for row in found.table.rows] == pytest.approx([row.rating for row in plain.rows], abs=4)
    assert found.width_ratio == pytest.approx(1, abs=0.01)


def test_without_other_verdicts_it_is_the_rating_of_the_votes() -> None:
    counts, found = alone(300, 0, 0.8, seed=3)
    plain = rate(counts)
    assert found.weight == 0
    assert found.table.strengths == pytest.approx(plain.strengths)
    assert found.table.covariance == pytest.approx(plain.covariance)


def test_the_intervals_hold_the_truth_as_often_as_they_say_however_biased_the_judge() -> None:
    # Ties pull both p and the fit together, so the truth is the fit to very many votes of people.
    left, right, outcome, _ = battles(400_000, np.random.default_rng(99), 0.0, -THETA)
    truth = [row.rating for row in rate(PairCounts.from_votes(names(5), left, right, outcome)).rows]
    inside = [
        row.low <= value <= row.high  # type: ignore[operator]
        for seed in range(120)
        for row, value in zip(combined(400, 4000, 0.7, seed).table.rows, truth, strict=True)
    ]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.025)


def test_the_judge_may_have_seen_other_pairs_than_people_did() -> None:
    left, right, outcome, judge = battles(30_000, np.random.default_rng(5), 0.7, -THETA)
    voted, seldom = slice(0, 3000), (left + right) % 3 == 0
    seldom[:3000] = False
    rest = Verdicts(left[seldom], right[seldom], judge[seldom])
    found = combine(names(5), Verdicts(left[voted], right[voted], judge[voted]), outcome[voted], rest)
    plain = rate(PairCounts.from_votes(names(5), left[voted], right[voted], outcome[voted]))
    for row, of_people in zip(found.table.rows, plain.rows, strict=True):
        assert row.rating == pytest.approx(of_people.rating, abs=15)
    assert found.width_ratio is not None
    assert found.width_ratio < 1


def test_no_votes_rate_nobody() -> None:
    nothing = Verdicts([], [], [])
    found = combine(["a", "b"], nothing, np.zeros(0, dtype=int), Verdicts([0], [1], [1.0]))
    assert found.table.warnings == ("nobody_rated",)
    assert found.width_ratio is None


def test_scores_outside_zero_and_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.\.1"):
        combine(["a", "b"], Verdicts([0], [1], [2.0]), [0], Verdicts([], [], []))
    with pytest.raises(ValueError, match="every voted one a vote"):
        combine(["a", "b"], Verdicts([0], [1], [1.0]), [0, 0], Verdicts([], [], []))


def test_the_judge_of_mt_bench_narrows_the_peoples_ratings() -> None:
    def rows(name: str) -> list[dict[str, str]]:
        return [json.loads(line) for line in shared_data(f"mt_bench_human/{name}").read_text().split("\n") if line]

    def item(row: dict[str, str]) -> tuple[object, ...]:
        return (row["question_id"], row["turn"], *sorted((row["model_a"], row["model_b"])))

    codes = {"model_a": 0, "model_b": 1}
    verdict = {item(row): row for row in rows("gpt4_pair.jsonl")}
    votes = [row for row in rows("human.jsonl") if item(row) in verdict]
    models = sorted({row["model_a"] for row in votes} | {row["model_b"] for row in votes})

    def judged(chosen: list[dict[str, str]]) -> Verdicts:
        scores = []
        for row in chosen:
            said = verdict[item(row)]
            score = 0.5 if said["winner"].startswith("tie") else float(said["winner"] == "model_a")
            scores.append(score if said["model_a"] == row["model_a"] else 1 - score)
        return Verdicts(*([models.index(r[key]) for r in chosen] for key in ("model_a", "model_b")), scores)

    seen = {item(row) for row in votes}
    rest = [row for key, row in verdict.items() if key not in seen]
    outcome = np.array([codes.get(row["winner"], 2) for row in votes])
    found = combine(models, judged(votes), outcome, judged(rest))
    assert OUTCOMES[2] == "tie"
    assert len(rest) == 586
    assert 0 < found.weight < 1
    assert found.width_ratio is not None
    assert 0.8 < found.width_ratio < 1
