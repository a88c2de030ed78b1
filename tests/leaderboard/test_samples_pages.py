"""What a reader finds behind a number."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client

from leaderboard import sample_pages
from runners.models import EvaluationRun, Task
from runners.reports import SampleReport
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def task() -> Task:
    return factories.make_task("copa_gen", title_ko="인과", title_en="Causes")


@pytest.fixture
def run(task: Task) -> EvaluationRun:
    suite = factories.make_suite(tasks=[task])
    return factories.make_finished_run(suite=suite, scores={"copa_gen": [1, 0, "no_answer", None, 1]})


def _text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_the_list_of_tasks_counts_how_items_came_out(client: Client, run: EvaluationRun) -> None:
    result = run.results.get()
    assert sample_pages.counts([result]) == {result.pk: {"right": 2, "wrong": 1, "no_answer": 1, "error": 1}}
    text = _text(client, f"/ko/runs/{run.pk}/samples/")
    assert "인과" in text
    assert f"/ko/runs/{run.pk}/samples/copa_gen/?show=wrong" in text


def test_a_task_that_stands_in_two_suites_is_listed_once(client: Client, run: EvaluationRun, task: Task) -> None:
    factories.make_suite(tasks=[task])
    assert _text(client, f"/en/runs/{run.pk}/samples/").count("Causes") == 1


@pytest.mark.parametrize(
    ("show", "ids"),
    [
        ("right", [0, 4]),
        ("wrong", [1]),
        ("no_answer", [2]),
        ("error", [3]),
        ("", [0, 1, 2, 3, 4]),
        ("?", [0, 1, 2, 3, 4]),
    ],
)
def test_items_are_listed_by_how_they_came_out(client: Client, run: EvaluationRun, show: str, ids: list[int]) -> None:
    text = _text(client, f"/en/runs/{run.pk}/samples/copa_gen/?show={show}")
    assert [number for number in range(5) if f">item-{number}</a>" in text] == ids


def test_fifty_items_stand_on_a_page(client: Client, task: Task, django_assert_max_num_queries: Any) -> None:
    run = factories.make_finished_run(suite=factories.make_suite(tasks=[task]), scores={"copa_gen": [1.0] * 60})
    with django_assert_max_num_queries(8):
        first = _text(client, f"/ko/runs/{run.pk}/samples/copa_gen/")
    assert first.count("질문 ") == 50
    assert "?page=2" in first
    second = _text(client, f"/ko/runs/{run.pk}/samples/copa_gen/?page=2")
    assert ">item-59</a>" in second
    assert "?page=1" in second


def test_an_item_shows_what_was_asked_what_came_back_and_what_was_read(client: Client, run: EvaluationRun) -> None:
    text = _text(client, f"/en/runs/{run.pk}/samples/copa_gen/1/")
    assert "질문 1번입니다." in text
    assert "정답은 B입니다." in text
    assert "answer read from the reply" in text
    assert 'href="../0/"' in text
    assert 'href="../2/"' in text
    assert f"{2:064x}" in text


def test_previous_and_next_keep_to_the_chosen_outcome(client: Client, run: EvaluationRun) -> None:
    text = _text(client, f"/en/runs/{run.pk}/samples/copa_gen/0/?show=right")
    assert 'href="../4/?show=right"' in text
    assert 'rel="prev"' not in text


def test_a_model_text_is_never_markup(client: Client, task: Task) -> None:
    run = factories.make_run(suite=factories.make_suite(tasks=[task]), status="finished")
    reports = factories.make_samples([1], reply="<script>alert(1)</script>", prompt="<b>q</b>", extracted="<i>A</i>")
    factories.make_result(run, task, samples=reports)
    for address in ("copa_gen/0/", "copa_gen/"):
        text = _text(client, f"/ko/runs/{run.pk}/samples/{address}")
        assert "<script>alert" not in text
        assert "<b>q</b>" not in text
        assert "<i>A</i>" not in text


def test_chat_messages_are_shown_as_turns() -> None:
    prompt = json.dumps(
        [{"role": "system", "content": "규칙"}, {"role": "user", "content": "물음"}], ensure_ascii=False
    )
    assert [(turn.role, turn.text) for turn in sample_pages.turns(prompt)] == [("system", "규칙"), ("user", "물음")]
    for text in ("그냥 글", "[1, 2]", "[broken", ""):
        assert [(turn.role, turn.text) for turn in sample_pages.turns(text)] == [("", text)]


def test_options_show_their_log_probabilities_and_shares() -> None:
    report = factories.make_samples([1], choices=["가", "나"], logprobs=[-1.0, -1.0 - 1.0986123], target="가")[0]
    first, second = sample_pages.options(report)
    assert [first.share, second.share] == pytest.approx([0.75, 0.25])
    assert (first.is_chosen, first.is_target, second.is_chosen) == (True, True, False)
    assert sample_pages.options(factories.make_samples([1])[0]) == []


def test_very_unlikely_options_do_not_break_the_shares() -> None:
    report = factories.make_samples([1], choices=["가", "나"], logprobs=[-2000.0, -5000.0])[0]
    assert [option.share for option in sample_pages.options(report)] == [1.0, 0.0]


def test_the_same_item_of_other_models_is_shown_but_not_of_withdrawn_runs_or_other_sets(
    client: Client, run: EvaluationRun, task: Task
) -> None:
    rival = factories.make_revision(factories.make_language_model("rival/one"))
    other = factories.make_finished_run(rival, run.suite, {"copa_gen": [0, 1]})
    gone = factories.make_revision(factories.make_language_model("gone/two"))
    factories.make_finished_run(gone, run.suite, {"copa_gen": [0, 1]}, withdrawn_at=other.created_at)
    hidden = factories.make_revision(factories.make_language_model("hidden/three", hidden_reason="asked to"))
    factories.make_finished_run(hidden, run.suite, {"copa_gen": [0, 1]})
    factories.make_finished_run(factories.make_revision(factories.make_language_model("far/four")))
    text = _text(client, f"/en/runs/{run.pk}/samples/copa_gen/1/")
    assert f'href="/en/runs/{other.pk}/samples/copa_gen/1/"' in text
    for name in ("two", "three", "four"):
        assert f">{name}</a>" not in text


def test_only_the_newest_answer_of_a_revision_is_shown(run: EvaluationRun, task: Task) -> None:
    rival = factories.make_revision()
    factories.make_finished_run(rival, run.suite, {"copa_gen": [0]})
    newer = factories.make_finished_run(rival, run.suite, {"copa_gen": [1]})
    sample = run.results.get().samples.get(doc_id=0)
    found = sample_pages.others(sample, run, task.benchmark_id)
    assert [(other.run.pk, other.outcome.key) for other in found] == [(newer.pk, "right")]


def test_nothing_of_a_private_set_is_shown_but_its_counts(client: Client) -> None:
    task = factories.make_task("secret_gen", benchmark=factories.make_benchmark(is_private=True))
    run = factories.make_finished_run(suite=factories.make_suite(tasks=[task]))
    text = _text(client, f"/en/runs/{run.pk}/samples/secret_gen/")
    assert "The questions of this set are private" in text
    assert "<b>2</b><span>right" in text
    assert "item-0" not in text
    assert "질문" not in text
    assert client.get(f"/en/runs/{run.pk}/samples/secret_gen/0/").status_code == 404
    assert "?show=" not in _text(client, f"/en/runs/{run.pk}/samples/")


def test_an_item_whose_file_is_gone_still_tells_what_is_known(client: Client, run: EvaluationRun) -> None:
    default_storage.delete(run.artifacts.get().path)
    text = _text(client, f"/en/runs/{run.pk}/samples/copa_gen/1/")
    assert "is not on this server any more" in text
    assert _text(client, f"/en/runs/{run.pk}/samples/copa_gen/").count("<tr>") > 5


def test_what_is_not_there_is_not_found(client: Client, run: EvaluationRun) -> None:
    for address in ("999/samples/", f"{run.pk}/samples/nothing/", f"{run.pk}/samples/copa_gen/99/"):
        assert client.get(f"/ko/runs/{address}").status_code == 404


def test_the_question_itself_is_taken_from_a_longer_prompt() -> None:
    report: SampleReport = factories.make_samples([1], prompt="설명\n문제: 예시\n답: A\n\n문제: 진짜 물음\nA. 가")[0]
    assert sample_pages._gist(report).startswith("진짜 물음")
