"""What the endpoints answer."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from leaderboard.api import state
from leaderboard.api.respond import encode
from leaderboard.published import publisher
from runners.models import Artifact, Conversation, LanguageModel, Message, Worker
from tests import factories
from tests.leaderboard.api.site import Site, make_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    return make_site()


def get(client: Client, path: str, status: int = 200) -> Any:
    response = client.get(path, headers={"Accept-Language": "en"})
    assert response.status_code == status, response.content
    return response.json()


def test_suites_come_with_their_tasks_in_order(site: Site, client: Client) -> None:
    suites = {suite["slug"]: suite for suite in get(client, "/api/v1/suites")}
    assert set(suites) == {"ko-basic", "private"}
    assert [task["name"] for task in suites["ko-basic"]["tasks"]] == ["first_gen", "second_gen"]
    assert suites["private"]["tasks"][0]["is_private"] is True


def test_a_board_says_the_numbers_of_its_page(site: Site, client: Client) -> None:
    board = get(client, "/api/v1/boards/ko-basic")
    row = next(row for row in board["rows"] if row["run"] == site.finished.pk)
    page = client.get("/en/boards/ko-basic/").content.decode()
    shown = re.search(rf"<tr data-run={site.finished.pk}>.*?<b>([\d.]+)</b>", page, re.S)
    assert shown is not None
    assert shown[1] == f"{row['average'] * 100:.1f}"
    cell = row["cells"]["first_gen"]
    assert (cell["value"], cell["n_docs"], cell["n_scored"], cell["n_no_answer"]) == (0.5, 4, 4, 1)
    assert cell["run"] == site.finished.pk


def test_a_model_without_every_task_has_no_average_and_no_rank(site: Site, client: Client) -> None:
    rows = get(client, "/api/v1/boards/ko-basic")["rows"]
    partial = next(row for row in rows if row["cells"].get("first_gen", {}).get("n_failed") == 1)
    assert (partial["average"], partial["rank_low"], partial["rank_high"]) == (None, None, None)
    assert partial["n_present"] == 1
    assert "second_gen" not in partial["cells"]


def test_a_second_reader_of_a_board_costs_no_query(site: Site, client: Client, django_assert_num_queries: Any) -> None:
    client.get("/api/v1/boards/ko-basic")
    with django_assert_num_queries(0):
        client.get("/api/v1/boards/ko-basic")
        client.get("/api/v1/boards/ko-basic?kind=open&sort=first_gen")


def test_a_board_shows_a_new_result_after_the_refresh(site: Site, client: Client) -> None:
    before = get(client, "/api/v1/boards/ko-basic")
    factories.make_finished_run(suite=site.suite)
    publisher.refresh()
    assert len(get(client, "/api/v1/boards/ko-basic")["rows"]) == len(before["rows"]) + 1


def test_a_board_can_be_filtered_and_sorted(site: Site, client: Client) -> None:
    rows = get(client, "/api/v1/boards/ko-basic?sort=first_gen")["rows"]
    assert rows[0]["cells"]["first_gen"]["value"] == 1.0
    assert get(client, "/api/v1/boards/ko-basic?kind=api")["rows"] == []
    assert get(client, "/api/v1/boards/ko-basic?view=likelihood")["tasks"] == []
    assert "apache-2.0" in get(client, "/api/v1/boards/ko-basic?licence=mine", 400)["error"]
    assert "second_gen" in get(client, "/api/v1/boards/ko-basic?sort=third", 400)["error"]


def test_a_board_that_is_not_there_is_named(client: Client) -> None:
    assert "“nothing”" in get(client, "/api/v1/boards/nothing", 404)["error"]


def test_models_are_listed_with_revisions_and_runs_in_six_queries(
    site: Site, client: Client, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(6):
        found = get(client, "/api/v1/models")
    assert found["total"] == LanguageModel.objects.count()
    row = next(r for r in found["rows"] if r["slug"] == site.failed.revision.language_model.slug)
    assert [(run["id"], run["status"], run["error_kind"]) for run in row["runs"]] == [
        (site.failed.pk, "failed", "endpoint_down")
    ]
    assert row["revisions"][0]["commit_sha"] == site.failed.revision.commit_sha


def test_models_come_in_pages(client: Client) -> None:
    for number in range(51):
        factories.make_language_model(f"maker/m{number:02}")
    first, second = (get(client, f"/api/v1/models?page={page}") for page in (1, 2))
    assert (first["pages"], len(first["rows"]), [row["slug"] for row in second["rows"]]) == (2, 50, ["maker/m50"])
    assert "has 2" in get(client, "/api/v1/models?page=3", 404)["error"]
    assert [row["slug"] for row in get(client, "/api/v1/models?q=M07")["rows"]] == ["maker/m07"]


def test_a_models_slug_holds_slashes(site: Site, client: Client) -> None:
    slug = site.finished.revision.language_model.slug
    assert "/" in slug
    assert get(client, f"/api/v1/models/{slug}")["runs"][0]["id"] == site.finished.pk
    assert "“maker/none”" in get(client, "/api/v1/models/maker/none", 404)["error"]


def test_a_hidden_model_is_not_shown(client: Client) -> None:
    factories.make_language_model("maker/hidden", hidden_reason="taken down")
    assert get(client, "/api/v1/models")["rows"] == []
    get(client, "/api/v1/models/maker/hidden", 404)


def test_a_waiting_run_has_a_place_and_a_running_one_a_heartbeat(site: Site, client: Client) -> None:
    queued, running = (get(client, f"/api/v1/runs/{run.pk}") for run in (site.queued, site.running))
    assert (queued["position"], queued["heartbeat_age"]) == (1, None)
    assert running["position"] is None
    assert 0 <= running["heartbeat_age"] < 60
    assert running["progress"] == {"done": 10, "total": 40}
    assert (running["eta_seconds"], running["eta_seconds_low"]) == (
        pytest.approx(1350, rel=0.02),
        pytest.approx(675, rel=0.02),
    )


def test_a_finished_run_gives_everything_a_rerun_needs(site: Site, client: Client) -> None:
    run = get(client, f"/api/v1/runs/{site.finished.pk}")
    revision = site.finished.revision
    assert run["provenance"]["revision"]["commit_sha"] == revision.commit_sha
    assert run["provenance"]["fingerprint"] == site.finished.fingerprint
    assert {result["task"] for result in run["results"]} == {"first_gen", "second_gen"}
    assert run["results"][0]["value"] == 0.5
    assert run["position"] is None
    assert run["eta_seconds"] is None


def test_where_a_server_stands_and_its_key_are_not_given_out(client: Client) -> None:
    endpoint = factories.make_endpoint("mine", base_url="http://10.0.0.7:8000/v1", key_env="MY_KEY")
    run = factories.make_run(factories.make_revision(backend="api", endpoint=endpoint))
    text = json.dumps(get(client, f"/api/v1/runs/{run.pk}"))
    assert '"endpoint": "mine"' in text
    assert "10.0.0.7" not in text
    assert "MY_KEY" not in text


def test_a_rerun_and_its_parent_name_each_other(site: Site, client: Client) -> None:
    again = factories.make_run(suite=site.suite, rerun_of=site.failed, reason="server repaired")
    assert get(client, f"/api/v1/runs/{again.pk}")["rerun_of"] == site.failed.pk
    assert get(client, f"/api/v1/runs/{site.failed.pk}")["reruns"] == [again.pk]


@pytest.mark.parametrize("number", ["0", "999999", "9223372036854775808", "9" * 30])
def test_a_run_that_is_not_there_is_named(number: str, client: Client) -> None:
    assert number in get(client, f"/api/v1/runs/{number}", 404)["error"]


def test_samples_hold_the_whole_prompt_and_reply(site: Site, client: Client) -> None:
    found = get(client, f"/api/v1/runs/{site.finished.pk}/samples?task=first_gen")
    first, *_, last = found["rows"]
    assert found["total"] == 4
    assert first["prompt"].startswith("질문 0번")
    assert (first["reply"], first["extracted"], first["target"]) == ("정답은 A입니다.", "A", "A")
    assert first["metrics"] == {"acc": 1.0}
    assert (last["status"], last["extracted"], last["correct"]) == ("no_answer", None, 0.0)


def test_samples_are_filtered_as_on_the_page(site: Site, client: Client) -> None:
    address = f"/api/v1/runs/{site.finished.pk}/samples?task=first_gen&status="
    assert [len(get(client, address + status)["rows"]) for status in ("right", "wrong", "no_answer", "error")] == [
        2,
        1,
        1,
        0,
    ]
    assert "first_gen, second_gen" in get(client, f"/api/v1/runs/{site.finished.pk}/samples?task=third", 400)["error"]
    assert get(client, f"/api/v1/runs/{site.queued.pk}/samples?task=first_gen")["rows"] == []


def test_samples_come_in_pages_at_the_same_cost(client: Client, django_assert_max_num_queries: Any) -> None:
    suite = factories.make_suite(tasks=1)
    run = factories.make_finished_run(suite=suite, scores={suite.tasks.get().name: [1.0] * 60})
    with django_assert_max_num_queries(6):
        found = get(client, f"/api/v1/runs/{run.pk}/samples?page=2")
    assert [row["doc_id"] for row in found["rows"]] == list(range(50, 60))


def test_nothing_of_a_private_item_is_given_out(site: Site, client: Client) -> None:
    found = get(client, f"/api/v1/runs/{site.private.pk}/samples")
    assert (found["rows"], found["total"]) == ([], 0)
    assert found["private"] == [{"task": "secret_gen", "n_docs": 4, "n_scored": 4, "n_failed": 0, "n_no_answer": 1}]
    assert "질문" not in json.dumps(get(client, f"/api/v1/runs/{site.private.pk}"), ensure_ascii=False)


def test_a_lost_file_leaves_what_the_rows_know(site: Site, client: Client) -> None:
    for artifact in Artifact.objects.filter(run=site.finished):
        default_storage.delete(artifact.path)
    row = get(client, f"/api/v1/runs/{site.finished.pk}/samples")["rows"][0]
    assert (row["prompt"], row["reply"], row["extracted"]) == (None, None, "A")


def test_numbers_and_texts_that_cannot_be_written_do_no_harm(client: Client) -> None:
    suite = factories.make_suite(tasks=1)
    samples = factories.make_samples([1.0], logprobs=[float("-inf"), -1.0])
    run = factories.make_run(suite=suite, status="finished")
    factories.make_result(run, suite.tasks.get(), samples=samples)
    row = get(client, f"/api/v1/runs/{run.pk}/samples")["rows"][0]
    assert row["logprobs"] == [None, -1.0]
    assert encode({"reply": "\ud83d 반쪽"}).decode() == '{"reply": "? 반쪽"}'


def test_the_queue_tells_lanes_workers_and_the_line(site: Site, client: Client) -> None:
    found = get(client, "/api/v1/queue")
    lanes = {lane["lane"]: lane for lane in found["lanes"]}
    assert (lanes["gpu"]["waiting"], lanes["gpu"]["running"], lanes["gpu"]["workers"]) == (1, 1, 0)
    assert (lanes["eval"]["waiting"], lanes["eval"]["oldest_waiting_seconds"], lanes["eval"]["workers"]) == (0, None, 1)
    assert [worker["name"] for worker in found["workers"]] == ["eval-1"]
    assert [(run["id"], run["position"]) for run in found["runs"]] == [(site.running.pk, None), (site.queued.pk, 1)]
    assert found["reconciler"]["is_alive"] is True


def test_the_queue_costs_the_same_whatever_its_length(client: Client, django_assert_num_queries: Any) -> None:
    suite = factories.make_suite()
    for _ in range(12):
        factories.make_run(suite=suite)
    with django_assert_num_queries(7):
        assert len(get(client, "/api/v1/queue")["runs"]) == 12


def test_all_is_well_with_a_reconciler_and_a_worker(client: Client) -> None:
    factories.make_worker("reconciler-host", lane="reconciler")
    factories.make_worker("eval-1")
    found = get(client, "/healthz")
    assert (found["status"], found["reasons"], found["workers"]["eval"]) == ("ok", [], 1)


def test_a_queue_in_trouble_is_degraded_with_its_reasons(client: Client) -> None:
    long_ago = timezone.now() - timedelta(seconds=90)
    factories.make_worker("reconciler-host", lane="reconciler", heartbeat_at=long_ago)
    factories.make_run()
    found = get(client, "/healthz")
    assert found["status"] == "degraded"
    assert any("reconciler gave no sign of life for 90 s" in reason for reason in found["reasons"])
    assert any("no worker is alive for gpu" in reason for reason in found["reasons"])
    get(client, "/healthz?strict=1", 503)


def test_a_redis_that_is_away_is_told(client: Client) -> None:
    note = "Redis cannot be reached: Timeout"
    factories.make_worker("reconciler-host", lane="reconciler", note=note)
    factories.make_worker("eval-1")
    assert get(client, "/healthz")["reasons"] == [f"queue degraded: {note}"]


def test_a_database_that_is_away_is_503_without_its_address(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("could not connect to db.internal:5432")

    monkeypatch.setattr(state, "read", away)
    found = get(client, "/healthz", 503)
    assert found["status"] == "down"
    assert "db.internal" not in json.dumps(found)


def test_metrics_are_prometheus_text(site: Site, client: Client) -> None:
    response = client.get("/metrics")
    text = response.content.decode()
    assert response.headers["Content-Type"].startswith("text/plain")
    assert 'gyeoru_runs{lane="gpu",status="queued"} 1.0' in text
    assert 'gyeoru_runs{lane="gpu",status="finished"} 3.0' in text
    assert 'gyeoru_workers{lane="eval"} 1.0' in text
    assert "gyeoru_items_total 16.0" in text
    assert "gyeoru_running_items_done 10.0" in text
    assert re.search(r"gyeoru_boards_generation [1-9]", text)
    assert re.search(r'gyeoru_oldest_waiting_seconds{lane="gpu"} [\d.]+', text)
    assert Worker.objects.count() == 2


def test_a_gpu_that_tells_nothing_has_no_series(client: Client) -> None:
    known = {"index": "0", "name": "H100", "utilisation": 0.25, "memory_used": 2**30, "memory_total": None}
    factories.make_worker("gpu-1", lane="gpu", gpus=[known])
    factories.make_worker("gpu-2", lane="gpu")
    long_ago = timezone.now() - timedelta(hours=1)
    factories.make_worker("gpu-3", lane="gpu", gpus=[known], heartbeat_at=long_ago)
    told = [line for line in client.get("/metrics").content.decode().splitlines() if line.startswith("gyeoru_gpu_")]
    assert told == [
        'gyeoru_gpu_utilisation_ratio{gpu="0",name="H100",worker="gpu-1"} 0.25',
        'gyeoru_gpu_memory_used_bytes{gpu="0",name="H100",worker="gpu-1"} 1.073741824e+09',
    ]


def test_first_tokens_of_the_last_minutes_are_a_histogram_that_names_no_model(client: Client) -> None:
    side = Conversation.objects.create(revision=factories.make_revision("maker/secret"))
    old = timezone.now() - timedelta(minutes=16)
    for position, (seconds, at) in enumerate([(0.2, None), (0.3, None), (7.0, None), (0.2, old), (None, None)]):
        Message.objects.create(
            conversation=side, position=position, turn=1, role="assistant", first_token_seconds=seconds,
            created_at=at or timezone.now(),
        )  # fmt: skip
    text = client.get("/metrics").content.decode()
    found = re.findall(r'gyeoru_first_token_seconds_bucket{le="(\S+)"} (\S+)', text)
    counts = {bound: float(n) for bound, n in found}
    assert counts == {
        "0.1": 0, "0.25": 1, "0.5": 2, "1.0": 2, "2.5": 2, "5.0": 2, "10.0": 3, "20.0": 3, "+Inf": 3,
    }  # fmt: skip
    assert "gyeoru_first_token_seconds_count 3.0" in text
    assert "gyeoru_first_token_seconds_sum 7.5" in text
    assert "secret" not in text
