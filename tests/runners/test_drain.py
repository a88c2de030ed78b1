"""A worker that staff drained takes nothing new, ends what it has, and works again when it is resumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runners import jobs
from runners.models import EvaluationRun
from tests import factories
from tests.fake_openai import Behaviour, FakeOpenAI
from tests.runners.test_fleet import start_redis
from tests.site import Site

MODEL = "candidate"


@pytest.mark.django_db
def test_a_hint_that_came_in_the_moment_of_the_drain_is_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.utils import timezone

    factories.make_worker("g2", is_draining=True)
    run = factories.make_run(hinted_at=timezone.now())
    monkeypatch.setenv("GYEORU_WORKER", "g2")
    jobs.execute_run(run.pk)
    run.refresh_from_db()
    assert (run.status, run.attempt, run.hinted_at) == ("queued", 0, None)
    assert list(EvaluationRun.objects.unhinted(timezone.now())) == [run]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with FakeOpenAI() as server:
        server.behaviours[MODEL] = Behaviour(latency=0.2, reply="정답: A")
        own = Site(tmp_path)
        own.manage("migrate", "-v0")
        own.manage("sync_catalogue")
        own.manage("add_endpoint", MODEL, "--base-url", server.base_url, "--served-name", MODEL)
        start_redis(own)
        own.start("reconcile")
        yield own
        own.stop()


def _status(site: Site) -> list[str]:
    return [row[0] for row in site.sql("select status from runners_evaluationrun order by id")]


def _drain(site: Site, drained: bool) -> None:
    code = f"from runners.models import Worker; Worker.objects.filter(lane='eval').update(is_draining={drained})"
    site.manage("shell", "-v0", "-c", code)


@pytest.mark.workers
def test_a_drained_worker_ends_its_run_and_waits_until_it_is_resumed(site: Site) -> None:
    site.start("work", "--queue", "eval")
    site.manage("evaluate", f"api/{MODEL}", "ko-basic", "--limit", "20")
    site.wait_for("the first run goes", lambda: _status(site) == ["running"], 60)
    _drain(site, True)
    site.manage("evaluate", f"api/{MODEL}", "ko-basic", "--limit", "1")
    site.wait_for("the first run ends", lambda: _status(site)[0] == "finished", 90)
    # Hints are given again every two seconds here: time enough to be tempted.
    with pytest.raises(AssertionError, match="not within 6 s"):
        site.wait_for("the second starts", lambda: _status(site)[1] != "queued", 6)
    _drain(site, False)
    site.wait_for("the second run ends", lambda: _status(site) == ["finished", "finished"], 90)
