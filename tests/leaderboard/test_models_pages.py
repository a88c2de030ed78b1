"""What a reader finds about a model."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from runners.models import Suite
from tests import factories
from tests.leaderboard.judged import make_judged

pytestmark = pytest.mark.django_db


@pytest.fixture
def suite() -> Suite:
    tasks = [factories.make_task("copa_gen"), factories.make_task("copa", mode="likelihood", chance_level=0.5)]
    made = factories.make_suite("tiny", tasks=tasks, title_en="Tiny suite")
    made.suite_tasks.filter(task__name="copa").update(in_headline=False)
    return made


def _text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_models_are_listed_with_their_runs_and_hidden_ones_are_not(client: Client, suite: Suite) -> None:
    shown = factories.make_language_model("seoul/bright", organization="Seoul Lab")
    factories.make_finished_run(factories.make_revision(shown), suite)
    factories.make_run(factories.make_revision(shown), suite, "failed")
    factories.make_language_model("dark/one", hidden_reason="its makers asked")
    text = _text(client, "/en/models/")
    assert 'href="/en/models/seoul/bright/"' in text
    assert "1 failed" in text
    assert "dark/one" not in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=SEOUL", {"a"}),
        ("q=busan;lab", {"a", "b"}),
        ("kind=api", {"b"}),
        ("q=nothing", set()),
        ("kind=odd", {"a", "b"}),
    ],
)
def test_models_are_searched_by_name_and_kind(client: Client, query: str, found: set[str]) -> None:
    factories.make_language_model("seoul/a", organization="Seoul Lab")
    factories.make_language_model("busan/b", kind="api")
    text = _text(client, f"/ko/models/?{query}")
    assert {name for name in ("a", "b") if f">{name}</a>" in text} == found


def test_the_list_takes_a_few_queries_however_many_models(client: Client, django_assert_max_num_queries: Any) -> None:
    for _ in range(12):
        factories.make_revision()
    with django_assert_max_num_queries(4):
        client.get("/ko/models/")


def test_a_model_page_shows_average_rank_tasks_and_revisions(client: Client, suite: Suite) -> None:
    strong = factories.make_revision("seoul/strong")
    weak = factories.make_revision("seoul/weak")
    run = factories.make_finished_run(strong, suite, {"copa_gen": [1.0] * 40, "copa": [1.0] * 40})
    factories.make_finished_run(weak, suite, {"copa_gen": [0.0] * 39 + [1.0], "copa": [0.0] * 40})
    text = _text(client, "/en/models/seoul/strong/")
    assert "Tiny suite" in text
    assert "<b>100.0 " in text
    assert '<div><b>1</b><span><a href="/en/method/#rank">rank</a> of 2' in text
    assert f'href="/en/runs/{run.pk}/samples/copa_gen/"' in text
    assert strong.commit_sha in text
    assert "Tiny suite" not in _text(client, "/ko/models/seoul/weak/")


def test_knowledge_and_format_are_told_apart_with_counts_and_shares(client: Client, suite: Suite) -> None:
    revision = factories.make_revision("seoul/knows")
    factories.make_finished_run(revision, suite, {"copa_gen": [1, 0, 0, 1], "copa": [1, 1, 1, 0]})
    text = _text(client, "/en/models/seoul/knows/")
    assert "Knowledge or format?" in text
    assert '<rect class="k1" x="25.00" y="0" width="50.00" height="10"/>' in text
    assert '<b>50.0%</b> <small class="soft">15.0–85.0</small> <small>2</small>' in text


def test_a_model_without_both_modes_has_no_knowledge_bar(client: Client, suite: Suite) -> None:
    factories.make_finished_run(factories.make_revision("seoul/chat"), suite, {"copa_gen": [1, 0]})
    text = _text(client, "/en/models/seoul/chat/")
    assert "Knowledge or format?" not in text
    assert "not evaluated" in text


def test_the_history_names_failures_and_withdrawals(client: Client, suite: Suite) -> None:
    revision = factories.make_revision("seoul/history")
    failed = factories.make_run(revision, suite, "failed", error_kind="auth")
    factories.make_run(revision, suite, "finished", withdrawn_at=timezone.now(), withdrawn_reason="wrong template")
    text = _text(client, "/en/models/seoul/history/")
    assert f'href="/en/runs/{failed.pk}/"' in text
    assert "The model server refuses the key." in text
    assert "wrong template" in text


def test_a_hidden_model_says_why_it_is_on_no_board(client: Client, suite: Suite) -> None:
    model = factories.make_language_model("seoul/gone", hidden_reason="trained on the test")
    factories.make_finished_run(factories.make_revision(model), suite)
    text = _text(client, "/en/models/seoul/gone/")
    assert "trained on the test" in text
    assert "This model has no result on a board yet." in text


def test_an_unknown_model_is_not_found(client: Client) -> None:
    assert client.get("/ko/models/no/such/").status_code == 404


def test_the_page_of_a_model_with_many_runs_takes_a_bounded_number_of_queries(
    client: Client, suite: Suite, django_assert_max_num_queries: Any
) -> None:
    revision = factories.make_revision("seoul/busy")
    for _ in range(8):
        factories.make_finished_run(revision, suite)
    client.get("/ko/models/seoul/busy/")
    with django_assert_max_num_queries(8):
        client.get("/ko/models/seoul/busy/")


def test_a_judged_model_shows_its_mean_with_interval_and_judge(client: Client) -> None:
    made = make_judged({"seoul/talker": [(8, 7)] * 4, "seoul/mute": [(2, 1)] * 4}, "ko-talk")
    text = _text(client, "/en/models/seoul/talker/")
    assert "<b>7.50 <i>[7.50, 7.50]</i></b>" in text
    assert f"of 10, judged by {made.judge.name}" in text
    assert f'href="/en/questions/ko-talk/?run={made.runs[0].pk}"' in text
    assert "tasks of the average" not in text
