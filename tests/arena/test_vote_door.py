"""Votes that are in order are stored before Django; whatever is otherwise is told by Django, as it ever was."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from arena import roster, tallies, voters
from arena.models import Battle, Vote
from arena.vote_door import MOST, VoteDoor
from tests.arena.people import consenting, make_contenders

pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = "t" * 32
PASSED_ON = 599


class Asked:
    """An answer: status, headers and body; status 599 with the body that Django would have got."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 0, {}, b""  # type: ignore[var-annotated]


async def _ask(door: VoteDoor, path: str, headers: dict[str, str], body: bytes, parts: int = 1) -> Asked:
    got = Asked()
    size = max(1, -(-len(body) // parts))
    pieces = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    waiting = [{"type": "http.request", "body": p, "more_body": True} for p in pieces]
    waiting[-1]["more_body"] = False

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            got.status = message["status"]
            got.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            got.body += message["body"]

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await door({"type": "http", "method": "POST", "path": path, "headers": raw}, receive, send)
    return got


async def _django(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": PASSED_ON, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def battle(client: Client) -> Battle:
    roster.forget()
    make_contenders()
    consenting(client)
    assert client.post("/ko/arena/open/", {"kind": "recorded"}).status_code == 302
    earlier = timezone.now() - timedelta(seconds=30)
    Battle.objects.update(created_at=earlier, completed_at=earlier)
    return Battle.objects.get()


def _headers(client: Client, body: bytes, **changed: str) -> dict[str, str]:
    session = client.cookies[voters.COOKIE].value if voters.COOKIE in client.cookies else "none"
    headers = {
        "host": "testserver",
        "origin": "http://testserver",
        "content-type": "application/x-www-form-urlencoded",
        "content-length": str(len(body)),
        "cookie": f"other=1; csrftoken={TOKEN}; {voters.COOKIE}={session}",
        "accept": "application/json",
    }
    return headers | {name.replace("_", "-"): value for name, value in changed.items()}


def _vote(
    client: Client, battle: Battle, times: int = 1, parts: int = 1, form: Any = (), **changed: str
) -> list[Asked]:
    body = urlencode({"winner": "a", "csrfmiddlewaretoken": TOKEN, **dict(form)}).encode()
    path = f"/ko/arena/battles/{battle.key}/vote/"

    async def go() -> list[Asked]:
        door = VoteDoor(_django)
        headers = _headers(client, body, **changed)
        return list(await asyncio.gather(*(_ask(door, path, headers, body, parts) for _ in range(times))))

    return asyncio.run(go())


def test_a_vote_is_stored_counted_and_told(client: Client, battle: Battle) -> None:
    got = _vote(client, battle, form={"comment": "좋아요", "reason": "useful"})[0]
    vote = Vote.objects.get()
    assert got.status == 200
    names = {"left": vote.left.slug, "right": vote.right.slug}
    assert json.loads(got.body) == {"vote": vote.pk, "winner": "a", "is_new": True, "excluded": [], **names}
    assert "no-store" in got.headers["cache-control"]
    assert (vote.comment, vote.reasons, vote.battle) == ("좋아요", ["useful"], battle)
    assert tallies.difference(roster.source()) == {}
    battle.refresh_from_db()
    assert battle.status == "voted"


def test_it_says_what_django_would_say(client: Client, battle: Battle) -> None:
    ours = json.loads(_vote(client, battle)[0].body)
    path = f"/ko/arena/battles/{battle.key}/vote/"
    theirs = client.post(path, {"winner": "a"}, headers={"accept": "application/json"})
    assert theirs.json() == {**ours, "is_new": False}
    page = _vote(client, battle, accept="text/html")[0]
    assert (page.status, page.headers["location"]) == (302, client.post(path, {"winner": "a"}).headers["location"])


def test_a_vote_sent_three_times_at_once_is_one(client: Client, battle: Battle) -> None:
    said = [json.loads(one.body) for one in _vote(client, battle, times=3)]
    assert [one["is_new"] for one in said] == [True, False, False]
    assert len({(one["vote"], one["winner"]) for one in said}) == 1
    assert Vote.objects.count() == 1
    assert tallies.difference(roster.source()) == {}


def test_a_form_in_pieces_is_read_whole(client: Client, battle: Battle) -> None:
    assert _vote(client, battle, parts=5)[0].status == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"host": "evil.example"},
        {"content_type": "multipart/form-data; boundary=x"},
        {"content_length": str(MOST + 1)},
        {"content_length": "x"},
        {"cookie": ""},
        {"cookie": f"csrftoken={TOKEN}"},
        {"cookie": f"csrftoken={'u' * 32}; arena=forged:session"},
        {"cookie": f"csrftoken={TOKEN}; arena=forged:session"},
    ],
)
def test_what_is_not_in_order_is_left_to_django(client: Client, battle: Battle, changed: dict[str, str]) -> None:
    got = _vote(client, battle, parts=2, **changed)[0]
    assert got.status == PASSED_ON
    assert got.body.startswith(b"winner=a&csrfmiddlewaretoken="), "with the whole form"
    assert not Vote.objects.exists()


@pytest.mark.parametrize(
    "form", [{"winner": "nobody"}, {"csrfmiddlewaretoken": "u" * 32}, {"csrfmiddlewaretoken": "?"}]
)
def test_a_form_that_is_wrong_is_left_to_django(client: Client, battle: Battle, form: dict[str, str]) -> None:
    assert _vote(client, battle, form=form)[0].status == PASSED_ON
    assert not Vote.objects.exists()


def test_another_session_and_an_unfinished_battle_are_left_to_django(client: Client, battle: Battle) -> None:
    assert _vote(consenting(Client()), battle)[0].status == PASSED_ON
    Battle.objects.update(status="streaming")
    assert _vote(client, battle)[0].status == PASSED_ON
    assert not Vote.objects.exists()
