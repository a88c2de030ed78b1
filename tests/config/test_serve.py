"""`make run`'s command: the whole site starts, fills its first page, stops cleanly and goes on where it left off."""

from __future__ import annotations

import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site import Site, children_of

pytestmark = [pytest.mark.workers, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    own = Site(tmp_path)
    yield own
    own.stop()


def page(site: Site, path: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{site.port}{path}", timeout=5) as response:
            return response.read().decode()
    except OSError:
        return ""


def finished(site: Site) -> int:
    return site.sql("select count(*) from runners_evaluationrun where status = 'finished'")[0][0]


def test_the_first_page_fills_by_itself_and_a_restart_goes_on(site: Site):
    serving = site.start("serve")
    site.wait_for("the page answers", lambda: "겨루" in page(site, "/ko/"), 30)
    site.wait_for("the first live cell", lambda: "/samples/ko_basic_" in page(site, "/ko/"), 60)
    below = children_of(serving.pid)
    serving.send_signal(signal.SIGINT)
    assert serving.wait(40) == 0
    assert [pid for pid in below if pid in children_of(1)] == []
    before = finished(site)

    again = site.start("serve")
    site.wait_for("all players stand on both boards", lambda: finished(site) == 10, 120)
    assert before <= 10
    assert site.sql("select count(*) from runners_evaluationrun") == [(10,)]
    judged = site.sql("select count(*), min(is_complete), max(is_invalid) from judging_judgedrun")
    assert judged == [(6, 1, 0)]
    again.send_signal(signal.SIGTERM)
    assert again.wait(40) == 0


def test_a_taken_port_is_named_with_the_remedy(site: Site):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", site.port))
        taken.listen()
        with pytest.raises(AssertionError, match=r"PORT=8001 make run"):
            site.manage("serve")
