"""The queue page that cannot lie."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from leaderboard import queue_page
from leaderboard.views import queue
from tests import factories

pytestmark = pytest.mark.django_db


def _text(client: Client, address: str = "/en/queue/") -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def _name(slug: str, **fields: Any) -> Any:
    return factories.make_revision(factories.make_language_model(slug), **fields)


def test_an_empty_queue_says_so_and_that_nobody_hands_out_work(client: Client) -> None:
    text = _text(client)
    assert "Nothing is running." in text
    assert "The reconciler is silent." in text
    assert "No worker has reported itself." in text
    assert client.get("/ko/queue/").status_code == 200


def test_waiting_runs_stand_in_their_lane_with_place_and_remark(client: Client) -> None:
    factories.make_run(_name("a/first"))
    later = timezone.now() + timedelta(minutes=4)
    factories.make_run(_name("a/second"), attempt=1, error_kind="endpoint_down", not_before=later)
    text = _text(client)
    assert text.index("first</a>") < text.index("second</a>")
    assert "<b>1</b>" in text
    assert "<b>2</b>" in text
    assert "No worker of this lane is alive" in text
    assert "Attempt 1 of 3 ended:" in text
    assert "The model server cannot be reached." in text
    assert "Next attempt not before" in text


def test_a_running_run_shows_progress_worker_and_sign_of_life(client: Client) -> None:
    silent = timezone.now() - timedelta(minutes=3)
    factories.make_run(_name("a/runner"), status="running", worker="worker-9", heartbeat_at=silent, stage="kobest_copa")
    text = _text(client)
    assert "10 / 40 · kobest_copa" in text
    assert "worker-9" in text
    assert '<span class="life silent">3 min ago</span>' in text


def test_a_failed_run_says_why_what_to_change_and_how_it_ended(client: Client) -> None:
    log = "\n".join(f"line {number}" for number in range(200))
    factories.make_run(_name("a/broken"), status="failed", error_kind="does_not_fit", attempt=3, log_tail=log)
    text = _text(client)
    assert "The model does not fit into the machine&#x27;s memory." in text
    assert "Use a smaller precision" in text
    assert "failed, attempt 3 of 3" in text
    assert "line 199" in text
    assert "line 100\n" not in text


def test_the_log_of_a_private_suite_stays_private(client: Client) -> None:
    suite = factories.make_suite(tasks=[factories.make_task(benchmark=factories.make_benchmark(is_private=True))])
    factories.make_run(suite=suite, status="failed", log_tail="a private question")
    assert "a private question" not in _text(client)


def test_a_lost_redis_is_told_in_the_reconcilers_words(client: Client) -> None:
    factories.make_worker("reconciler-1", lane="reconciler", note="Redis cannot be reached: refused")
    text = _text(client)
    assert "The reconciler is silent." not in text
    assert "Redis cannot be reached: refused" in text


@pytest.mark.parametrize(("age", "life"), [(0, "ok"), (19, "ok"), (30, "late"), (61, "silent"), (None, "silent")])
def test_a_sign_of_life_gets_old(age: float | None, life: str) -> None:
    assert queue_page.life(age) == life


def test_the_live_part_brings_what_has_ended_only_when_it_is_new(client: Client) -> None:
    factories.make_run(_name("a/done"), status="finished")
    mark = queue_page.read().mark
    same = _text(client, f"/en/queue/live/?was={mark}")
    assert "<html" not in same
    assert "queue-ended" not in same
    assert 'id="queue-ended" hx-swap-oob="true"' in _text(client, "/en/queue/live/?was=0")


def test_many_readers_share_one_reading(client: Client, django_assert_num_queries: Any) -> None:
    queue._known.clear()
    client.get("/en/queue/live/")
    with django_assert_num_queries(0):
        client.get("/en/queue/live/")


def test_the_page_takes_eight_queries_at_most_however_long_the_line(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    suite = factories.make_suite(tasks=3)
    for status in ("queued", "running", "failed", "finished"):
        for _ in range(6):
            factories.make_run(suite=suite, status=status)
    for _ in range(5):
        factories.make_worker()
    with django_assert_max_num_queries(8):
        client.get("/ko/queue/")
