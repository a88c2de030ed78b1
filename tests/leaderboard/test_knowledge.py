"""Telling what a model knows from what it can put into form."""

from __future__ import annotations

from typing import Any

import pytest

from leaderboard.knowledge import Knowledge, knowledge, pairs
from tests import factories


def test_tasks_of_the_same_items_are_paired_by_name_and_shots() -> None:
    rows = [
        (1, "copa", "likelihood", 0),
        (2, "copa_gen", "generate", 0),
        (3, "wic", "likelihood", 0),
        (4, "wic_gen", "generate", 5),
        (5, "math_gen", "generate", 0),
    ]
    assert pairs(rows) == {1: 2}


def test_shares_add_up_and_are_missing_where_nothing_was_scored_twice() -> None:
    assert Knowledge(5, 3, 1, 1).shares() == (0.5, 0.3, 0.1, 0.1)
    assert Knowledge().shares() is None
    assert Knowledge(1, 2, 3, 4) + Knowledge(1, 1, 1, 1) == Knowledge(2, 3, 4, 5)


@pytest.mark.django_db
def test_items_fall_into_four_kinds_by_what_each_mode_got_right(django_assert_num_queries: Any) -> None:
    suite = factories.make_suite(
        tasks=[factories.make_task("copa", mode="likelihood"), factories.make_task("copa_gen")]
    )
    run = factories.make_finished_run(
        suite=suite,
        scores={"copa": [1, 1, 1, 0, 0, None, 1], "copa_gen": [1, 0, "no_answer", 1, 0, 1, None]},
    )
    factories.make_finished_run(suite=suite)
    likelihood, generation = run.results.order_by("task__name").values_list("pk", flat=True)
    with django_assert_num_queries(1):
        found = knowledge({likelihood: generation})
    assert found == {likelihood: Knowledge(both=1, knows=2, guesses=1, neither=1)}


@pytest.mark.django_db
def test_items_are_matched_by_their_id_and_not_by_their_place() -> None:
    suite = factories.make_suite(tasks=[factories.make_task("wic", mode="likelihood"), factories.make_task("wic_gen")])
    run = factories.make_run(suite=suite, status="finished")
    by_name = {task.name: task for task in suite.tasks.all()}
    one = factories.make_result(run, by_name["wic"], [1, 0])
    shifted = [s for s in factories.make_samples([0, 1, 0]) if s.doc_id]
    two = factories.make_result(run, by_name["wic_gen"], samples=shifted)
    assert knowledge({one.pk: two.pk})[one.pk] == Knowledge(guesses=1)


@pytest.mark.django_db
def test_a_pair_without_a_common_item_is_empty_and_nothing_asked_is_nothing_done() -> None:
    run = factories.make_finished_run()
    result = run.results.get()
    assert knowledge({result.pk: 10**9}) == {result.pk: Knowledge()}
    assert knowledge({}) == {}
