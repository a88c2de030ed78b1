"""With real workers: what is bound to this machine is done here, what is bound elsewhere waits until it is let go."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_openai import Behaviour, FakeOpenAI
from tests.runners.test_fleet import start_redis
from tests.site import Site

MODEL = "candidate"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with FakeOpenAI() as server:
        server.behaviours[MODEL] = Behaviour(reply="정답: A")
        own = Site(tmp_path)
        own.manage("migrate", "-v0")
        own.manage("sync_catalogue")
        own.manage("add_endpoint", MODEL, "--base-url", server.base_url, "--served-name", MODEL)
        start_redis(own)
        yield own
        own.stop()


def _status(site: Site) -> list[str]:
    return [row[0] for row in site.sql("select status from runners_evaluationrun order by id")]


def _shell(site: Site, code: str) -> None:
    site.manage("shell", "-v0", "-c", f"from runners.models import EvaluationRun as R; {code}")


@pytest.mark.workers
def test_a_bound_run_is_done_on_its_machine_alone(site: Site) -> None:
    for host in ("elsewhere", socket.gethostname()):
        site.manage("evaluate", f"api/{MODEL}", "ko-basic", "--limit", "1")
        _shell(site, f"R.objects.filter(only_host='').update(only_host='{host}')")
    # Only now, so that no hint was given before the runs were bound.
    site.start("reconcile")
    site.start("work", "--queue", "eval")
    site.wait_for("the run of this machine ends", lambda: _status(site) == ["queued", "finished"], 60)
    _shell(site, "R.objects.update(only_host='', hinted_at=None)")
    site.wait_for("the other ends when it is let go", lambda: _status(site) == ["finished", "finished"], 60)
    told = site.sql("select environment from runners_evaluationrun")
    assert all(socket.gethostname() in environment for (environment,) in told)
