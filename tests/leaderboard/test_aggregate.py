from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.aggregate import (
    Cell,
    bootstrap_interval,
    chance_normalised,
    item_mean,
    macro_average,
    macro_f1_items,
    paired_difference,
    standings,
    standings_from_summaries,
)


def answers(*accuracies: float, n: int = 400, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.random((len(accuracies), n)) < np.array(accuracies)[:, None]).astype(float)


def test_the_macro_average_is_the_plain_mean_of_the_tasks() -> None:
    average = macro_average([Cell(0.5, 0.03), Cell(0.9, 0.04)])
    assert average.value == pytest.approx(0.7)
    assert average.stderr == pytest.approx(0.025)
    assert (average.n_present, average.n_tasks) == (2, 2)


def test_a_missing_task_leaves_the_average_missing_and_is_counted() -> None:
    average = macro_average([Cell(0.5, 0.03), Cell(None)])
    assert average.value is None
    assert average.stderr is None
    assert average.partial == 0.5
    assert (average.n_present, average.n_tasks) == (1, 2)


def test_an_average_of_nothing_is_nothing() -> None:
    assert macro_average([]).value is None
    assert macro_average([Cell(None)]).partial is None


def test_an_item_that_failed_is_left_out_and_not_wrong() -> None:
    assert item_mean(np.array([1.0, np.nan, 0.0])).value == 0.5
    assert item_mean(np.array([np.nan])).value is None
    assert item_mean(np.array([1.0])).stderr is None


def test_guessing_is_zero_and_perfection_a_hundred() -> None:
    assert chance_normalised(0.25, 0.25) == 0
    assert chance_normalised(1.0, 0.25) == 100
    assert chance_normalised(0.2, 0.25) == pytest.approx(-100 / 15)
    assert chance_normalised(0.2, 0.25, floor=True) == 0
    assert chance_normalised(None, 0.25) is None
    with pytest.raises(ValueError, match="below 1"):
        chance_normalised(0.5, 1.0)


def test_macro_f1_items_average_to_the_macro_f1() -> None:
    # Always saying yes: F1 of yes is 2 * 2 / (3 + 2) = 0.8, of no 0.
    items = macro_f1_items(["yes", "yes", "yes"], ["yes", "yes", "no"])
    assert items.mean() == pytest.approx(0.4)


def test_macro_f1_error_agrees_with_resampling() -> None:
    random = np.random.default_rng(3)
    target = random.integers(0, 2, 500)
    said = np.where(random.random(500) < 0.8, target, 1 - target)
    stderr = item_mean(macro_f1_items(list(said), list(target))).stderr
    draws = [
        macro_f1_items(list(said[pick]), list(target[pick])).mean() for pick in random.integers(0, 500, (300, 500))
    ]
    assert stderr == pytest.approx(np.std(draws), rel=0.15)


def test_a_pair_of_zero_one_scores_is_tested_by_mcnemar() -> None:
    first = np.array([1.0] * 10 + [0.0] * 2 + [1.0] * 20)
    second = np.array([0.0] * 10 + [1.0] * 2 + [1.0] * 20)
    result = paired_difference(first, second)
    assert (result.n_first_better, result.n_second_better, result.n_shared) == (10, 2, 32)
    assert result.test == "mcnemar"
    assert result.p == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert result.difference == pytest.approx(0.25)


def test_a_pair_is_compared_on_shared_items_only() -> None:
    first = np.array([1.0, 1.0, np.nan, 0.5])
    second = np.array([0.0, np.nan, 1.0, 0.5])
    result = paired_difference(first, second)
    assert result.n_shared == 2
    assert result.test == "normal"


def test_models_without_shared_items_are_not_compared() -> None:
    result = paired_difference(np.array([1.0, np.nan]), np.array([np.nan, 1.0]))
    assert (result.difference, result.p, result.test) == (None, None, "none")


def test_standings_agree_with_every_single_pair() -> None:
    scores = answers(0.9, 0.6, 0.58)
    scores[1, :7] = np.nan
    table = standings([scores])
    for i in range(3):
        for j in range(3):
            if i != j:
                pair = paired_difference(scores[i], scores[j])
                assert table.difference[i, j] == pytest.approx(pair.difference)
                assert table.p[i, j] == pytest.approx(pair.p)


def test_models_that_cannot_be_told_apart_share_ranks_and_band() -> None:
    table = standings([answers(0.9, 0.6, 0.58)])
    assert table.rank_low.tolist() == [1, 2, 2]
    assert table.rank_high.tolist() == [1, 3, 3]
    assert table.band.tolist() == [1, 2, 2]


def test_a_model_without_a_task_is_not_ranked_and_disturbs_nobody() -> None:
    first, second = answers(0.9, 0.6, 0.5), answers(0.9, 0.6, 0.5, seed=1)
    second[2] = np.nan
    table = standings([first, second])
    alone = standings([first[:2], second[:2]])
    assert math.isnan(table.average[2])
    assert (table.rank_low[2], table.band[2]) == (0, 0)
    assert table.rank_high[:2].tolist() == alone.rank_high.tolist()


def test_a_twin_is_never_surely_above_its_twin() -> None:
    scores = answers(0.7)
    table = standings([np.vstack([scores, scores])])
    assert table.p[0, 1] == 1
    assert not table.above.any()


def test_five_items_are_too_few_to_be_sure() -> None:
    right, wrong = np.ones(5), np.zeros(5)
    assert not standings([np.vstack([right, wrong])]).above.any()
    assert not standings([np.vstack([right, wrong])[:, :3], np.vstack([right, wrong])[:, 3:]]).above.any()
    assert standings([np.vstack([np.ones(6), np.zeros(6)])]).above[0, 1]


def test_graded_scores_are_compared_by_the_paired_normal_test() -> None:
    random = np.random.default_rng(5)
    difficulty = random.normal(6, 2, 80)
    scores = np.vstack([difficulty + 1, difficulty]) + random.normal(0, 0.5, (2, 80))
    assert standings([scores]).above[0, 1]
    paired = paired_difference(scores[0], scores[1])
    assert standings([scores]).p[0, 1] == pytest.approx(paired.p)


def test_shared_items_separate_more_than_the_two_errors_do() -> None:
    random = np.random.default_rng(5)
    difficulty = random.normal(6, 2, 80)
    scores = np.vstack([difficulty + 0.4, difficulty]) + random.normal(0, 0.5, (2, 80))
    errors = scores.std(axis=1, ddof=1) / math.sqrt(80)
    assert standings([scores]).above[0, 1]
    assert not standings_from_summaries(scores.mean(axis=1), errors).above[0, 1]


def test_the_bootstrap_agrees_with_the_standard_error() -> None:
    tasks = [answers(0.8, 0.5), answers(0.7, 0.4, seed=1)]
    table = standings(tasks)
    for model, interval in enumerate(bootstrap_interval(tasks)):
        assert interval is not None
        assert (interval.high - interval.low) / 3.92 == pytest.approx(table.stderr[model], rel=0.1)


def test_the_bootstrap_of_a_missing_task_is_missing() -> None:
    scores = answers(0.8, 0.5)
    scores[0] = np.nan
    first, second = bootstrap_interval([scores], rounds=50)
    assert first is None
    assert second is not None


@given(st.permutations(range(5)), st.integers(0, 2**32 - 1))
def test_the_order_of_models_and_items_does_not_matter(order: list[int], seed: int) -> None:
    scores = answers(0.9, 0.8, 0.6, 0.5, 0.2, n=40, seed=seed)
    table = standings([scores])
    shuffled = standings([scores[order][:, ::-1]])
    assert shuffled.rank_low.tolist() == table.rank_low[order].tolist()
    assert shuffled.rank_high.tolist() == table.rank_high[order].tolist()


def test_five_hundred_models_on_thousands_of_items_stay_in_seconds() -> None:
    random = np.random.default_rng(0)
    scores = (random.random((500, 4000)) < random.random((500, 1))).astype(float)
    begin = time.process_time()
    standings([scores])
    assert time.process_time() - begin < 5
