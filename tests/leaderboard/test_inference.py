from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.inference import (
    bands,
    holm,
    mcnemar_exact,
    normal_quantile,
    rank_intervals,
    surely_above,
    two_sided_p,
    wilson_interval,
)


def test_the_normal_quantile_is_the_familiar_one() -> None:
    assert normal_quantile(0.95) == pytest.approx(1.959963984540054)
    assert two_sided_p(1.959963984540054) == pytest.approx(0.05)


def test_a_level_outside_zero_and_one_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        normal_quantile(95)


def test_wilsons_interval_equals_the_published_example() -> None:
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263 and 15 of 148 and 0 of 20, method 3.
    for successes, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
    ]:
        interval = wilson_interval(successes, n)
        assert interval is not None
        assert interval.low == pytest.approx(low, abs=5e-5)
        assert interval.high == pytest.approx(high, abs=5e-5)


def test_nothing_counted_has_no_interval() -> None:
    assert wilson_interval(0, 0) is None


def test_more_successes_than_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="not a proportion"):
        wilson_interval(3, 2)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_equals_the_binomial_sum(first: int, second: int) -> None:
    n, fewer = first + second, min(first, second)
    exact = min(1.0, 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n)
    assert mcnemar_exact(first, second) == pytest.approx(exact, rel=1e-9)


def test_holm_equals_the_worked_example() -> None:
    # Holm's example: 0.01, 0.04, 0.03, 0.005 at 0.05 rejects the two smallest only.
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == [True, False, False, True]


def test_a_missing_p_is_no_hypothesis() -> None:
    assert holm([math.nan, 0.03, math.nan]).tolist() == [False, True, False]


@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_rejects_no_less_than_bonferroni_and_no_more_than_no_correction(p: list[float]) -> None:
    rejected = holm(p)
    assert all(rejected[i] for i, value in enumerate(p) if value <= 0.05 / len(p))
    assert not any(rejected[i] for i, value in enumerate(p) if value > 0.05)


def test_ranks_and_bands_of_three_models_where_only_the_ends_differ() -> None:
    values = np.array([0.9, 0.8, 0.7])
    difference = values[:, None] - values[None, :]
    p = np.full((3, 3), 0.5)
    p[0, 2] = p[2, 0] = 1e-6
    above = surely_above(difference, p)
    ranks = rank_intervals(above)
    assert ranks.low.tolist() == [1, 1, 2]
    assert ranks.high.tolist() == [2, 3, 3]
    assert bands(values, above).tolist() == [1, 1, 2]


def test_a_model_without_a_value_is_in_no_band() -> None:
    assert bands(np.array([0.5, math.nan]), np.zeros((2, 2), dtype=bool)).tolist() == [1, 0]
