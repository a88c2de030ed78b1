"""Board pages from memory: no query on a hit, new when the boards change, the same bytes whoever answers."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import brotli
import pytest
from django.core.asgi import get_asgi_application
from django.test import Client

from leaderboard.front_door import FrontDoor
from leaderboard.published import publisher
from runners import runs
from runners.models import TaskResult
from tests.factories import make_result, make_run, make_suite

pytestmark = pytest.mark.django_db


@pytest.fixture
def suite():
    suite = make_suite("shown", tasks=2)
    for scores in ((1.0, 1.0, 0.0, 1.0), (0.0, 0.0, 1.0, 0.0)):
        run = make_run(suite=suite, status="finished")
        for task in suite.tasks.all():
            make_result(run, task, scores)
    return suite


def test_a_page_that_stands_ready_costs_no_query(client: Client, suite, django_assert_num_queries):
    first = client.get("/ko/boards/shown/")
    with django_assert_num_queries(0):
        again = client.get("/ko/boards/shown/")
    assert again.content == first.content
    assert "75.0" in again.content.decode()


def test_a_board_takes_a_bounded_number_of_queries_whatever_its_size(
    client: Client, suite, django_assert_max_num_queries
):
    for _ in range(10):
        run = make_run(suite=suite, status="finished")
        for task in suite.tasks.all():
            make_result(run, task, (1.0, 0.0, 1.0, 1.0))
    with django_assert_max_num_queries(10):
        client.get("/ko/boards/shown/")


def test_a_new_result_is_on_the_page_after_the_next_look(client: Client, suite):
    client.get("/ko/boards/shown/")
    TaskResult.objects.filter(value=0.75).update(value=0.512)
    runs.touch("boards")
    assert publisher.refresh()
    assert "51.2" in client.get("/ko/boards/shown/").content.decode()
    assert not publisher.refresh()


def test_a_reader_who_has_the_page_gets_304(client: Client, suite):
    etag = client.get("/ko/boards/shown/")["ETag"]
    assert client.get("/ko/boards/shown/", headers={"If-None-Match": etag}).status_code == 304


def test_the_two_languages_and_each_view_are_pages_of_their_own(client: Client, suite):
    bodies = {
        client.get(path).content for path in ("/ko/boards/shown/", "/en/boards/shown/", "/en/boards/shown/?view=all")
    }
    assert len(bodies) == 3


def test_every_encoding_holds_the_same_page(client: Client, suite):
    plain = client.get("/ko/boards/shown/").content
    packed = client.get("/ko/boards/shown/", headers={"Accept-Encoding": "gzip"})
    smallest = client.get("/ko/boards/shown/", headers={"Accept-Encoding": "gzip, br"})
    assert (packed["Content-Encoding"], gzip.decompress(packed.content)) == ("gzip", plain)
    assert (smallest["Content-Encoding"], brotli.decompress(smallest.content)) == ("br", plain)


def ask(door: FrontDoor, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One GET through the ASGI layer: status, headers, body."""
    sent: list[dict[str, Any]] = []

    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        if (message := next(asked, None)) is None:
            await asyncio.sleep(60)  # the reader stays
        return message or {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "scheme": "http",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "server": ("testserver", 80), "client": ("127.0.0.1", 1), "http_version": "1.1",
    }  # fmt: skip
    asyncio.run(door(scope, receive, send))
    start = next(message for message in sent if message["type"] == "http.response.start")
    body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    return start["status"], {k.decode().lower(): v.decode() for k, v in start["headers"]}, body


@pytest.mark.django_db(transaction=True)
def test_the_front_door_says_exactly_what_django_says(suite, settings):
    settings.ALLOWED_HOSTS = ["*"]
    door = FrontDoor(get_asgi_application())
    ask(door, "/ko/boards/shown/")  # Django renders it
    learnt = ask(door, "/ko/boards/shown/", accept_encoding="gzip")  # and the door learns the headers
    assert "/ko/boards/shown/" in door._headers
    asked: list[str] = []

    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])

    door.application = refuse
    served = ask(door, "/ko/boards/shown/", accept_encoding="gzip")
    assert asked == []
    own = ("date", "server")
    assert {k: v for k, v in served[1].items() if k not in own} == {k: v for k, v in learnt[1].items() if k not in own}
    assert (served[0], served[2]) == (learnt[0], learnt[2])
    assert "content-security-policy" in served[1]
    assert ask(door, "/ko/boards/shown/", if_none_match=served[1]["etag"])[0] == 304


def test_the_front_door_leaves_everything_else_to_django(suite):
    asked: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    ask(FrontDoor(application), "/ko/queue/")
    assert asked == ["/ko/queue/"]
