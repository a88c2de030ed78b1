"""Models side by side."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from leaderboard import boards, comparison
from runners.models import Suite
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def suite() -> Suite:
    tasks = [factories.make_task("one_gen", title_en="First"), factories.make_task("two_gen", title_en="Second")]
    return factories.make_suite("tiny", tasks=tasks)


def _run(suite: Suite, slug: str, one: list[Any], two: list[Any]) -> Any:
    return factories.make_finished_run(factories.make_revision(slug), suite, {"one_gen": one, "two_gen": two})


def _text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_a_difference_is_taken_item_by_item(suite: Suite) -> None:
    _run(suite, "a/a", [1, 1, 1, 0], [0, 0, 1, 1])
    _run(suite, "b/b", [1, 0, 0, 0], [1, 1, 1, 1])
    board = boards.build(suite)
    rows, unknown = comparison.choose(board, ["a/a", "b/b", "nobody"])
    found = comparison.compare(board, rows)
    assert unknown == ["nobody"]
    first, second = (line.entries[1].difference for line in found.lines)
    assert first is not None
    assert second is not None
    assert (first.difference, second.difference) == (-0.5, 0.5)
    assert first.n_shared == 4
    # s of (0, -1, -1, 0) is 0.5774, so half the interval is 1.96 * 0.5774 / 2.
    assert first.high == pytest.approx(-0.5 + 0.5658, abs=1e-3)
    overall = found.averages[1].difference
    assert overall is not None
    assert overall.difference == 0
    assert overall.high == pytest.approx(0.5658 / 2**0.5, abs=1e-3)


def test_failed_items_leave_only_those_both_were_scored_on(suite: Suite) -> None:
    _run(suite, "a/a", [1, None, 1, 0], [1, 0])
    _run(suite, "b/b", [0, 1, None, 0], [1, 0])
    board = boards.build(suite)
    found = comparison.compare(board, comparison.choose(board, ["a/a", "b/b"])[0])
    difference = found.lines[0].entries[1].difference
    assert difference is not None
    assert (difference.n_shared, difference.difference) == (2, -0.5)


def test_models_that_were_asked_different_numbers_of_items_are_not_paired(suite: Suite) -> None:
    _run(suite, "a/a", [1, 0, 1], [1, 0])
    _run(suite, "b/b", [1, 0], [1, 0])
    board = boards.build(suite)
    found = comparison.compare(board, comparison.choose(board, ["a/a", "b/b"])[0])
    assert found.lines[0].entries[1].difference is None
    assert found.averages[1].difference is None


def test_the_items_on_which_they_differ_most_open_in_each_run(client: Client, suite: Suite) -> None:
    a = _run(suite, "a/a", [1, 1, 0, 0], [1, 1])
    b = _run(suite, "b/b", [1, 0, 0, 0], [1, 1])
    text = _text(client, "/en/compare/?models=a/a,b/b&suite=tiny")
    listed = text.partition("Where they differ most")[2]
    assert f'href="/en/runs/{a.pk}/samples/one_gen/1/"' in listed
    assert f'href="/en/runs/{b.pk}/samples/one_gen/1/"' in listed
    assert "item-0" not in listed
    assert "−25.0" in text


def test_nothing_of_a_private_set_is_listed(client: Client) -> None:
    task = factories.make_task("one_gen", benchmark=factories.make_benchmark(is_private=True))
    suite = factories.make_suite("secret", tasks=[task])
    for slug, scores in (("a/a", [1.0, 0.0]), ("b/b", [0.0, 1.0])):
        factories.make_finished_run(factories.make_revision(slug), suite, {"one_gen": scores})
    text = _text(client, "/en/compare/?models=a/a,b/b&suite=secret")
    assert "There is no item that can be shown" in text
    assert "item-0" not in text


def test_at_most_four_models_and_each_once(suite: Suite) -> None:
    names = [f"m/{letter}" for letter in "abcdef"]
    for name in names:
        _run(suite, name, [1, 0], [1, 0])
    rows, _unknown = comparison.choose(boards.build(suite), [names[0], names[0], *names])
    assert [row.model.slug for row in rows] == names[:4]


def test_without_enough_models_there_is_a_form_to_choose_them(client: Client, suite: Suite) -> None:
    run = _run(suite, "a/a", [1, 0], [1, 0])
    for query in ("", "?models=a/a", "?models=a/a,nobody&suite=tiny"):
        text = _text(client, f"/ko/compare/{query}")
        assert f'value="{run.revision.slug}"' in text
    assert "nobody" in text


def test_the_suite_is_found_by_the_models_when_it_is_not_named(client: Client, suite: Suite) -> None:
    factories.make_suite("empty", order=1)
    _run(suite, "a/a", [1, 0], [1, 0])
    _run(suite, "b/b", [1, 1], [1, 0])
    assert "Where they differ most" in _text(client, "/en/compare/?models=a/a&models=b/b")


def test_an_unknown_suite_is_not_found_and_no_suite_at_all_is_explained(client: Client) -> None:
    assert "sync_catalogue" in _text(client, "/en/compare/")
    factories.make_suite("tiny")
    assert client.get("/ko/compare/?suite=nothing").status_code == 404


def test_comparing_four_models_takes_a_bounded_number_of_queries(
    client: Client, suite: Suite, django_assert_max_num_queries: Any
) -> None:
    for letter in "abcd":
        _run(suite, f"m/{letter}", [1, 0] * 20, [0, 1] * 20)
    address = "/ko/compare/?models=m/a,m/b,m/c,m/d&suite=tiny"
    client.get(address)
    with django_assert_max_num_queries(5):
        client.get(address)
