"""The change-point test against the textbook, and what must hold for any series."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners import drift

# D. C. Montgomery, Introduction to Statistical Quality Control, table 9.1: mean 10, deviation 1, shifted after 20.
MONTGOMERY = [
    9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34, 9.03, 11.47, 10.51, 9.40, 10.08, 9.37, 10.62,
    10.31, 8.52, 10.84, 10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38, 11.62, 11.31, 10.52,
]  # fmt: skip
share = st.floats(0, 1)


def test_the_sums_are_those_of_the_textbook():
    upper = [round(both[0], 2) for both in drift.sums(MONTGOMERY, 10, 1)]
    lower = [round(both[1], 2) for both in drift.sums(MONTGOMERY, 10, 1)]
    assert upper[3:6] == [1.16, 2.82, 2.5] and upper[28] == 5.28
    assert lower[:3] == [0.05, 1.56, 1.77]


def test_the_change_is_told_at_period_29_and_dated_to_period_23():
    found = drift.since(MONTGOMERY, mean=10, deviation=1)
    assert found is not None
    assert (found.told_at + 1, found.onset + 1, found.direction) == (29, 23, "up")
    assert found.size == pytest.approx(sum(MONTGOMERY[22:29]) / 7 - 10)


def test_a_model_that_got_worse_behind_its_name_is_told_within_a_few_runs():
    scores = [0.8, 0.82, 0.79, 0.81, 0.8] + [0.8] * 5 + [0.7] * 5
    found = drift.change(scores, n_items=100)
    assert found is not None
    assert (found.onset, found.direction) == (10, "down") and found.told_at <= 11
    assert found.size == pytest.approx(-0.104, abs=0.01)


@given(share, st.integers(6, 40))
def test_a_model_that_answers_alike_is_never_suspected(score: float, n: int):
    assert drift.change([score] * n, n_items=50) is None


@given(st.lists(share, min_size=6, max_size=40))
def test_up_and_down_are_mirror_images(scores: list[float]):
    up, down = drift.change(scores, n_items=50), drift.change([1 - score for score in scores], n_items=50)
    assert (up is None) == (down is None)
    if up is not None and down is not None:
        assert up.told_at == down.told_at and abs(up.size + down.size) < 1e-9


NORMAL = [0.8, 0.82, 0.79, 0.81, 0.8]


def test_a_change_that_stays_has_an_interval_around_its_size_and_no_end():
    watch = drift.watch([*NORMAL, *[0.8] * 5, *[0.6] * 8], n_items=100)
    (episode,) = watch.episodes
    assert (episode.change.onset, episode.over_at) == (10, None)
    assert episode.low < episode.change.size < episode.high < 0
    deviation = watch.deviation or 0
    assert episode.high - episode.low == pytest.approx(2 * 1.96 * deviation * (1 / 8 + 1 / 5) ** 0.5, rel=1e-3)


def test_a_change_ends_after_five_runs_in_the_old_noise_and_the_next_one_is_told():
    scores = [*NORMAL, *[0.6] * 4, *[0.8] * 5, *[0.8] * 3, *[0.95] * 6]
    first, second = drift.watch(scores, n_items=100).episodes
    assert (first.change.onset, first.over_at, first.change.direction) == (5, 13, "down")
    assert (second.change.onset, second.over_at, second.change.direction) == (17, None, "up")


def test_four_runs_back_are_not_enough():
    (episode,) = drift.watch([*NORMAL, *[0.6] * 4, *[0.8] * 4], n_items=100).episodes
    assert episode.over_at is None


def test_one_lucky_run_does_not_end_a_change():
    (episode,) = drift.watch([*NORMAL, *[0.6] * 6, 0.8, *[0.6] * 6], n_items=100).episodes
    assert episode.over_at is None


@given(st.lists(share, max_size=40))
def test_a_watch_agrees_with_the_first_change_and_its_episodes_follow_each_other(scores: list[float]):
    watch = drift.watch(scores, n_items=50)
    first = drift.change(scores, n_items=50)
    assert (watch.episodes[0].change if watch.episodes else None) == first
    for before, after in pairwise(watch.episodes):
        assert before.over_at is not None and before.over_at < after.change.onset


@given(st.lists(share, max_size=5))
def test_too_few_runs_tell_nothing(scores: list[float]):
    assert drift.change(scores, n_items=50) is None


@given(st.lists(share, min_size=6, max_size=40), share)
def test_what_was_told_stays_told_when_more_runs_come(scores: list[float], more: float):
    found = drift.change(scores, n_items=50)
    if found is not None:
        assert drift.change([*scores, more], n_items=50) == found


def test_steady_models_are_suspected_about_as_seldom_as_page_says():
    chance = random.Random(1)
    lengths = []
    for _ in range(60):
        scores = [chance.gauss(0.7, 0.05) for _ in range(2000)]
        found = drift.since(scores, mean=0.7, deviation=0.05)
        lengths.append(found.told_at if found else 2000)
    assert 250 < sum(lengths) / len(lengths) < 750
