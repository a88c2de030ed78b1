"""What a reader finds on a run's page."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from leaderboard import reproduction, run_page
from runners.management.commands import evaluate
from runners.models import EvaluationRun
from tests import factories

pytestmark = pytest.mark.django_db


def _text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_a_finished_run_shows_values_with_intervals_and_links_to_its_questions(client: Client) -> None:
    task = factories.make_task("copa_gen", title_ko="인과 추론", title_en="Causes")
    run = factories.make_finished_run(suite=factories.make_suite(tasks=[task]), scores={"copa_gen": [1, 1, 0, None]})
    korean, english = (_text(client, f"/{language}/runs/{run.pk}/") for language in ("ko", "en"))
    assert "인과 추론" in korean
    assert "Causes" in english
    assert f'href="/ko/runs/{run.pk}/samples/copa_gen/"' in korean
    assert "<b>66.7</b> <i>±65.3</i>" in english
    assert "3/4" in english
    assert "hx-get" not in english.split('id="run-live"')[1]


def test_an_active_run_asks_for_its_live_part_and_an_ended_one_stops_it(client: Client) -> None:
    run = factories.make_run(status="running")
    assert f'hx-get="/en/runs/{run.pk}/live/' in _text(client, f"/en/runs/{run.pk}/")
    part = _text(client, f"/en/runs/{run.pk}/live/?was=running.1.0")
    assert "<html" not in part
    assert "hx-swap-oob" not in part
    EvaluationRun.objects.filter(pk=run.pk).update(status="finished", token="", finished_at=timezone.now())
    ended = _text(client, f"/en/runs/{run.pk}/live/?was=running.1.0")
    assert 'hx-trigger="every' not in ended
    assert 'id="run-more" hx-swap-oob="true"' in ended


def test_a_failed_run_says_why_and_what_to_change(client: Client) -> None:
    attempts = [
        {"attempt": 1, "at": timezone.now().isoformat(), "worker": "w-1", "kind": "worker_lost", "text": "gone"}
    ]
    run = factories.make_run(
        status="failed", error_kind="auth", error_text="401 <b>no</b>", log_tail="the last line", attempts_log=attempts
    )
    text = _text(client, f"/en/runs/{run.pk}/")
    assert "The model server refuses the key." in text
    assert "Check the environment variable" in text
    assert "401 &lt;b&gt;no&lt;/b&gt;" in text
    assert "the last line" in text
    assert "The worker stopped answering" in text


def test_a_waiting_run_shows_its_place_and_promises_nothing_it_does_not_know(client: Client) -> None:
    suite = factories.make_suite()
    factories.make_run(suite=suite)
    run = factories.make_run(suite=suite)
    text = _text(client, f"/en/runs/{run.pk}/")
    assert "<b>2</b><span>place in line" in text
    assert "nothing measured yet, or no worker" in text


def test_a_rerun_and_its_parent_point_at_each_other(client: Client) -> None:
    parent = factories.make_run(status="finished")
    child = factories.make_run(parent.revision, parent.suite, rerun_of=parent, reason="the driver was old")
    assert f'href="../{parent.pk}/"' in _text(client, f"/en/runs/{child.pk}/")
    text = _text(client, f"/en/runs/{parent.pk}/")
    assert f'href="/en/runs/{child.pk}/"' in text
    assert "the driver was old" in text


def test_a_chat_model_is_told_why_a_likelihood_task_is_missing() -> None:
    suite = factories.make_suite(tasks=[factories.make_task(mode="likelihood")])
    revision = factories.make_revision(backend="api", endpoint=factories.make_endpoint())
    run = factories.make_run(revision, suite, "finished")
    found = run_page.load(run.pk)
    assert found is not None
    assert "log-probabilities" in str(run_page.read(found).lines[0].missing)


@pytest.mark.parametrize(
    ("fields", "states"),
    [
        ({"status": "queued"}, ["now", "", "", "", ""]),
        ({"status": "running", "progress_done": 0}, ["done", "now", "", "", ""]),
        ({"status": "running", "progress_done": 5}, ["done", "done", "now", "", ""]),
        ({"status": "running", "progress_done": 40}, ["done", "done", "done", "now", ""]),
        ({"status": "finished"}, ["done", "done", "done", "done", "done"]),
        ({"status": "failed", "progress_done": 5, "progress_total": 9}, ["done", "done", "done", "", "bad"]),
        ({"status": "cancelled", "started_at": None}, ["done", "", "", "", "bad"]),
    ],
)
def test_the_timeline_stands_where_the_run_is(fields: dict[str, Any], states: list[str]) -> None:
    run = factories.make_run(**fields)
    assert [step.state for step in run_page.timeline(run)] == states


def test_the_commands_name_commit_precision_and_settings() -> None:
    revision = factories.make_revision("maker/tiny")
    run = factories.make_run(
        revision,
        factories.make_suite("s"),
        "finished",
        settings={"limit": 5, "seed": 7},
        environment={"batch_size": 16},
    )
    assert reproduction.evaluate_command(run) == (
        f"manage.py evaluate maker/tiny@{revision.commit_sha} s --dtype bfloat16 --limit 5 --seed 7 --now"
    )
    command = reproduction.harness_command(run, run.suite.tasks.all())
    assert command is not None
    assert f"pretrained=maker/tiny,revision={revision.commit_sha},dtype=bfloat16" in command
    assert "--seed 7 --batch_size 16 --apply_chat_template --limit 5" in command


def test_the_sites_command_is_one_that_it_understands() -> None:
    run = factories.make_run(
        factories.make_revision("maker/tiny", backend="vllm"),
        settings={
            "limit": 5,
            "shots": 0,
            "batch_size": 8,
            "apply_chat_template": False,
            "system_instruction": "한 줄로",
        },
    )
    words = shlex.split(reproduction.evaluate_command(run))[2:]
    options = vars(evaluate.Command().create_parser("manage.py", "evaluate").parse_args(words))
    assert {name: options[name] for name in run.settings} == run.settings
    assert (options["backend"], options["dtype"], options["now"]) == ("vllm", "bfloat16", True)


def test_a_served_model_has_no_plain_harness_command() -> None:
    run = factories.make_run(factories.make_revision(backend="api", endpoint=factories.make_endpoint()))
    assert reproduction.harness_command(run, []) is None


def test_a_samples_file_can_be_taken_along_but_never_a_private_one(client: Client) -> None:
    run = factories.make_finished_run()
    file = run.artifacts.get()
    response = client.get(f"/en/runs/{run.pk}/files/{file.pk}/")
    assert b"".join(response.streaming_content).count(b"\n") == 4  # type: ignore[attr-defined]
    task = factories.make_task(benchmark=factories.make_benchmark(is_private=True))
    secret = factories.make_finished_run(suite=factories.make_suite(tasks=[task]), log_tail="an item leaked")
    assert client.get(f"/en/runs/{secret.pk}/files/{secret.artifacts.get().pk}/").status_code == 404
    assert client.get(f"/en/runs/{run.pk}/files/{secret.artifacts.get().pk}/").status_code == 404
    assert "an item leaked" not in _text(client, f"/en/runs/{secret.pk}/")


def test_an_unknown_run_is_not_found(client: Client) -> None:
    assert client.get("/ko/runs/999/").status_code == 404


def test_the_page_takes_as_many_queries_with_many_tasks_as_with_one(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    run = factories.make_finished_run(suite=factories.make_suite(tasks=12), started_at=timezone.now() - timedelta(1))
    with django_assert_max_num_queries(6):
        client.get(f"/ko/runs/{run.pk}/")


def test_the_address_of_a_served_model_stays_with_the_operator(client: Client) -> None:
    run = factories.make_run(status="finished", environment={"base_url": "http://10.0.0.7/v1", "engine": "openai"})
    text = _text(client, f"/en/runs/{run.pk}/")
    assert "openai" in text
    assert "10.0.0.7" not in text


def test_a_trial_says_that_it_stands_on_no_board(client: Client) -> None:
    trial = factories.make_run(status="finished", settings={"limit": 5})
    assert "it stands on no board" in _text(client, f"/en/runs/{trial.pk}/")
    assert "it stands on no board" not in _text(client, f"/en/runs/{factories.make_run().pk}/")


def test_a_suite_without_harness_tasks_still_has_a_run_page(client: Client) -> None:
    run = factories.make_run(suite=factories.make_suite(tasks=[]), status="judging")
    text = _text(client, f"/en/runs/{run.pk}/")
    assert "Results by task" not in text
    assert "being judged" in text


def test_a_judged_run_leads_to_the_pages_of_its_question_set(client: Client) -> None:
    suite = factories.make_suite("ko-talk", tasks=[], kind="multi_turn")
    run = factories.make_run(suite=suite, status="finished")
    assert f'href="/en/questions/ko-talk/?run={run.pk}"' in _text(client, f"/en/runs/{run.pk}/")


def test_an_imported_run_pretends_to_no_attempt_and_offers_no_command(client: Client) -> None:
    run = factories.make_run(factories.make_revision(backend="reference"), status="finished", is_imported=True)
    text = _text(client, f"/en/runs/{run.pk}/")
    assert "it was made elsewhere" in text
    assert "manage.py evaluate" not in text
    assert "attempt</span>" not in text
    assert [step.state for step in run_page.timeline(run)] == ["done"]
