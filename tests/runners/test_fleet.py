"""Real Redis, real workers, a fake model server: whatever is killed, the run finishes and each item counts once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import redis_server
from tests.fake_openai import Behaviour, FakeOpenAI
from tests.site import Site, alive, children_of

pytestmark = [pytest.mark.workers, pytest.mark.django_db(transaction=True)]
MODEL = "candidate"


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as fake:
        fake.behaviours[MODEL] = Behaviour(latency=0.4, reply="정답: A")
        yield fake


@pytest.fixture
def site(tmp_path: Path, server: FakeOpenAI) -> Iterator[Site]:
    """A site with a reconciler and a Redis of its own, one served model, and no worker yet."""
    own = Site(tmp_path)
    own.manage("migrate", "-v0")
    own.manage("sync_catalogue")
    own.manage("add_endpoint", MODEL, "--base-url", server.base_url, "--served-name", MODEL)
    start_redis(own)
    own.start("reconcile")
    yield own
    own.stop()


def start_redis(site: Site) -> None:
    import subprocess

    process = subprocess.Popen(redis_server.command(site.home), stdout=subprocess.DEVNULL, start_new_session=True)
    site.processes.insert(0, process)
    redis_server.wait_until_ready(process, redis_server.socket(site.home))


def row(site: Site) -> tuple[str, int, int, str]:
    """(status, attempt, items done, error kind) of the newest run."""
    found = site.sql("select status, attempt, progress_done, error_kind from runners_evaluationrun order by id desc")
    return found[0] if found else ("", 0, 0, "")


def under_way(site: Site, done: int = 20) -> bool:
    return row(site)[0] == "running" and row(site)[2] >= done


def finished_once(site: Site, seconds: float = 90) -> None:
    """The run finishes by itself, every item of its tasks stands there exactly once."""
    site.wait_for("finished", lambda: row(site)[0] == "finished", seconds)
    assert site.sql("select count(*), count(distinct result_id || '/' || doc_id) from runners_sample") == [(278, 278)]
    assert site.sql("select count(*), sum(n_scored), sum(n_failed) from runners_taskresult") == [(6, 278, 0)]


def evaluation_child(worker: int) -> int:
    """The pid of lm-eval's process below a worker: worker → its job's process → the child."""
    for horse in children_of(worker):
        for child in children_of(horse):
            return child
    return 0


def test_a_run_survives_kill_9_of_worker_child_and_redis(site: Site, server: FakeOpenAI):
    site.manage("evaluate", f"api/{MODEL}", "ko-basic")
    worker = site.start("work", "--queue", "eval")
    site.wait_for("under way", lambda: under_way(site), 60)

    child = evaluation_child(worker.pid)
    os.kill(child, signal.SIGKILL)
    site.wait_for("the child's death was noticed", lambda: row(site)[1] >= 2, 20)
    site.wait_for("under way again", lambda: under_way(site, 60), 60)

    child = evaluation_child(worker.pid)
    worker.kill()
    site.wait_for("no orphan of the worker", lambda: not alive(child), 5)
    redis = site.processes[0]
    redis.kill()
    redis.wait()
    start_redis(site)
    site.start("work", "--queue", "eval")
    finished_once(site)
    # At most what was in flight or not yet committed is asked again, per kill.
    asked = sum(call.path.endswith("chat/completions") for call in server.calls)
    assert asked <= 278 + 2 * (32 + 64)


def test_a_cancelled_run_stops_within_seconds_and_keeps_its_answers(site: Site):
    site.manage("evaluate", f"api/{MODEL}", "ko-basic")
    worker = site.start("work", "--queue", "eval")
    site.wait_for("under way", lambda: under_way(site), 60)
    child = evaluation_child(worker.pid)
    site.manage("shell", "-c", "from runners import runs; from runners.models import *; "
                "runs.cancel(EvaluationRun.objects.get(), 'owner')")  # fmt: skip
    started = time.monotonic()
    site.wait_for("cancelled", lambda: row(site)[0] == "cancelled", 6)
    site.wait_for("the child is gone", lambda: not alive(child), 3)
    assert time.monotonic() - started < 6


def test_a_drained_worker_gives_its_run_back_unharmed(site: Site):
    site.manage("evaluate", f"api/{MODEL}", "ko-basic")
    worker = site.start("work", "--queue", "eval")
    site.wait_for("under way", lambda: under_way(site), 60)
    worker.send_signal(signal.SIGTERM)
    worker.wait(20)
    assert row(site)[:2] == ("queued", 0)
    site.start("work", "--queue", "eval")
    finished_once(site)


def test_a_run_that_kills_its_process_three_times_is_quarantined(site: Site):
    site.manage("evaluate", f"api/{MODEL}", "ko-basic")
    worker = site.start("work", "--queue", "eval")
    for attempt in (1, 2, 3):
        site.wait_for(f"attempt {attempt}", lambda n=attempt: row(site)[1] == n and evaluation_child(worker.pid), 60)
        (horse,) = children_of(worker.pid)
        os.kill(horse, signal.SIGKILL)
    site.wait_for("quarantined", lambda: row(site)[0] == "failed", 20)
    assert row(site)[3] == "poison"


def test_hints_that_redis_forgot_are_given_again(site: Site):
    from redis import Redis

    site.manage("evaluate", f"api/{MODEL}", "ko-basic", "--limit", "2")
    with Redis(unix_socket_path=str(redis_server.socket(site.home))) as redis:
        site.wait_for("hinted", lambda: redis.llen("rq:queue:eval"), 20)
        redis.flushall()
    site.start("work", "--queue", "eval")
    site.wait_for("finished", lambda: row(site)[0] == "finished", 60)
