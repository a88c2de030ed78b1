"""Live battles: equal frames, broken servers, readers who leave."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator

import pytest
from django.test import Client

from arena import battles, roster, streams, voters
from arena.models import Battle, Vote
from runners.adapters import chat_stream
from runners.models import Message
from tests.arena.asgi import Read, new_door, read
from tests.arena.people import consenting, make_served
from tests.fake_openai import Behaviour, FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)
LEFT, RIGHT = "왼쪽 모델의 답은 이렇습니다.", "오른쪽은 조금 다르게 답합니다. 그리고 더 깁니다."


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(models=("zebra-served-a", "zebra-served-b")) as running:
        running.behaviours["zebra-served-a"] = Behaviour(reply=LEFT, between=0.01)
        running.behaviours["zebra-served-b"] = Behaviour(reply=RIGHT, between=0.01)
        yield running


@pytest.fixture(autouse=True)
def fresh(client: Client) -> None:
    roster.forget()
    consenting(client)


@pytest.fixture
def battle(client: Client, server: FakeOpenAI) -> Battle:
    for name in ("a", "b"):
        make_served(server.base_url, f"zebra-served-{name}", f"quokka-{name}-7b")
    return _open(client)


def _open(client: Client) -> Battle:
    answer = client.post("/ko/arena/open/", {"kind": "live", "prompt": "안녕하세요, 무엇을 할 수 있나요?"})
    assert answer.status_code == 302
    return Battle.objects.order_by("-pk")[0]


def _cookie(client: Client) -> str:
    return client.cookies[voters.COOKIE].value


def _read(client: Client, battle: Battle, leave_after: float | None = None) -> Read:
    return asyncio.run(read(new_door(), battle.stream_key, _cookie(client), leave_after))


def test_both_answers_come_in_equal_frames_and_the_vote_opens(client: Client, battle: Battle) -> None:
    got = _read(client, battle)
    assert got.status == 200
    assert got.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert got.headers["cache-control"] == "no-store"
    assert [name for name, _ in got.events][-1] == "done"
    assert sorted(got.texts) == sorted([LEFT, RIGHT])
    battle.refresh_from_db()
    assert (battle.status, battle.completed_at is not None) == ("complete", True)
    answers = Message.objects.filter(role="assistant")
    assert {m.text for m in answers} == {LEFT, RIGHT}
    assert all(m.completion_tokens and m.seconds and m.first_token_seconds is not None for m in answers)
    told = {side.revision.api_name: side.messages.get(role="assistant").text for side in battles.sides_of(battle)}
    assert told == {"zebra-served-a": LEFT, "zebra-served-b": RIGHT}


def test_frames_are_a_tenth_of_a_second_apart(client: Client, server: FakeOpenAI, battle: Battle) -> None:
    for name in ("a", "b"):
        server.behaviours[f"zebra-served-{name}"] = Behaviour(reply="가나다 " * 30, between=0.02)
    got = _read(client, battle)
    frames = [at for at, (name, _) in zip(got.at, got.events, strict=False) if name == "frame"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(frames)]
    assert len(gaps) >= 4
    assert min(gaps) > 0.05, "one frame per 100 ms, however fast tokens come"


def test_nothing_is_shown_until_both_have_begun(client: Client, server: FakeOpenAI, battle: Battle) -> None:
    server.behaviours["zebra-served-b"] = Behaviour(reply=RIGHT, latency=0.8)
    began = time.monotonic()
    got = _read(client, battle)
    names = [name for name, _ in got.events]
    assert names[0] == "waiting"
    first = next(data for name, data in got.events if name == "frame")
    assert all(first), "the first frame has text of both"
    assert time.monotonic() - began > 0.7


def test_a_stream_is_read_once_and_in_its_session_alone(client: Client, battle: Battle) -> None:
    stranger = consenting(Client())
    assert asyncio.run(read(new_door(), battle.stream_key, _cookie(stranger))).status == 404
    assert asyncio.run(read(new_door(), battle.stream_key)).status == 404
    assert asyncio.run(read(new_door(), battle.stream_key, "forged:cookie")).status == 404
    assert asyncio.run(read(new_door(), "unknown", _cookie(client))).status == 404
    assert asyncio.run(read(new_door(), "", _cookie(client))).status == 404
    assert _read(client, battle).status == 200
    assert _read(client, battle).status == 409
    assert asyncio.run(read(new_door(), battle.stream_key, _cookie(client), method="POST")).status == 405


def test_a_post_from_another_site_opens_nothing(battle: Battle) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/ko/arena/open/", {"kind": "live", "prompt": "?"}).status_code == 403
    assert Battle.objects.count() == 1


def test_the_stream_too_many_gets_503_and_its_key_still_holds(client: Client, battle: Battle, settings: object) -> None:
    settings.ARENA_STREAMS = 0  # type: ignore[attr-defined]
    got = _read(client, battle)
    assert (got.status, got.headers["retry-after"]) == (503, "10")
    settings.ARENA_STREAMS = 1  # type: ignore[attr-defined]
    assert _read(client, battle).status == 200


@pytest.mark.parametrize("kind", ["500", "429", "401", "404", "html", "cut", "garbage"])
def test_a_broken_server_ends_the_battle_without_a_vote(
    kind: str, client: Client, server: FakeOpenAI, battle: Battle
) -> None:
    server.behaviours["zebra-served-a"] = Behaviour(kind=kind, reply=LEFT)
    got = _read(client, battle)
    assert [name for name, _ in got.events][-1] == "broken"
    battle.refresh_from_db()
    assert battle.status == "error"
    vote = client.post(f"/ko/arena/battles/{battle.key}/vote/", {"winner": "a"}, headers={"accept": "application/json"})
    assert vote.status_code == 409
    assert not Vote.objects.exists()
    assert RIGHT not in {m.text for m in Message.objects.all()}, "what the other side said is dropped"
    server.behaviours["zebra-served-a"] = Behaviour(reply=LEFT)
    client.post(f"/ko/arena/battles/{battle.key}/retry/")
    battle.refresh_from_db()
    assert _read(client, battle).events[-1][0] == "done"


def test_a_server_that_says_nothing_or_stalls_is_given_up(
    client: Client, server: FakeOpenAI, battle: Battle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_stream, "FIRST_SECONDS", 0.6)
    monkeypatch.setattr(chat_stream, "STALL_SECONDS", 0.4)
    for behaviour in (Behaviour(kind="slow", slow=5.0, reply=LEFT), Behaviour(reply=LEFT, between=3.0)):
        server.behaviours["zebra-served-a"] = behaviour
        began = time.monotonic()
        assert _read(client, battle).events[-1][0] == "broken"
        assert time.monotonic() - began < 2.5
        battle.refresh_from_db()
        assert battle.error_kind == "endpoint_slow"
        battle = battles.retry(battle)


def test_when_the_reader_leaves_the_servers_are_let_go_within_two_seconds(
    client: Client, server: FakeOpenAI, battle: Battle
) -> None:
    for name in ("a", "b"):
        server.behaviours[f"zebra-served-{name}"] = Behaviour(reply="가나다라 " * 2000, between=0.05)
    _read(client, battle, leave_after=0.6)
    battle.refresh_from_db()
    assert (battle.status, battle.error_kind) == ("error", "reader_left")
    limit = time.monotonic() + 2
    while server.inflight and time.monotonic() < limit:
        time.sleep(0.05)
    assert server.inflight == 0


def test_a_further_turn_is_asked_with_the_whole_conversation(
    client: Client, server: FakeOpenAI, battle: Battle
) -> None:
    _read(client, battle)
    client.post(f"/ko/arena/battles/{battle.key}/ask/", {"prompt": "더 짧게요"})
    battle.refresh_from_db()
    _read(client, battle)
    sent = [call.body["messages"] for call in server.calls if call.path.endswith("/chat/completions")][-1]
    assert [one["role"] for one in sent] == ["user", "assistant", "user"]
    assert Message.objects.filter(turn=2, role="assistant").count() == 2


def test_an_answer_that_names_its_model_is_said_to_be_unranked(
    client: Client, server: FakeOpenAI, battle: Battle
) -> None:
    server.behaviours["zebra-served-a"] = Behaviour(reply="저는 LG AI연구원이 만든 엑사원입니다.")
    _read(client, battle)
    page = client.get(f"/en/arena/battles/{battle.key}/").content.decode()
    assert "this battle is not ranked" in page
    vote = client.post(f"/ko/arena/battles/{battle.key}/vote/", {"winner": "a"}, headers={"accept": "application/json"})
    assert "leak" in vote.json()["excluded"]


def refuse_all(texts: object) -> str:
    return "no"


def test_answers_that_moderation_refuses_are_never_votable(
    client: Client, battle: Battle, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ARENA_MODERATION = f"{__name__}.refuse_all"  # type: ignore[attr-defined]
    assert _read(client, battle).events[-1][0] == "broken"
    battle.refresh_from_db()
    assert (battle.status, battle.error_kind) == ("error", "moderated")


def test_an_abandoned_stream_is_ended_and_not_votable(battle: Battle) -> None:
    from datetime import timedelta

    from django.utils import timezone

    old = timezone.now() - timedelta(minutes=20)
    Battle.objects.filter(pk=battle.pk).update(status="streaming", created_at=old)
    Message.objects.update(created_at=old)
    assert battles.end_abandoned() == 1
    assert streams.take([(battle.stream_key, battle.voter.key)])[0].status == 409


def test_forty_readers_who_leave_cost_nothing(client: Client, server: FakeOpenAI, battle: Battle) -> None:
    for name in ("a", "b"):
        server.behaviours[f"zebra-served-{name}"] = Behaviour(reply="가나다라 " * 2000, between=0.05)
    keys = [battle.stream_key, *(_open(client).stream_key for _ in range(39))]

    async def go() -> None:
        door = new_door()
        await asyncio.gather(*(read(door, key, _cookie(client), leave_after=0.8) for key in keys))

    asyncio.run(go())
    assert server.inflight_peak >= 40, "they were being answered"
    limit = time.monotonic() + 2
    while server.inflight and time.monotonic() < limit:
        time.sleep(0.05)
    assert server.inflight == 0
    assert set(Battle.objects.values_list("status", "error_kind")) == {("error", "reader_left")}
    assert not Message.objects.filter(role="assistant").exists(), "no answer, no tokens, no cost"


def test_the_longest_prompt_reaches_both_servers_whole(client: Client, server: FakeOpenAI, battle: Battle) -> None:
    prompt = "가나다라마 " * 4_999 + "끝입니다다다"
    assert len(prompt) == 30_000
    assert client.post("/ko/arena/open/", {"kind": "live", "prompt": prompt}).status_code == 302
    assert _read(client, Battle.objects.order_by("-pk")[0]).events[-1][0] == "done"
    sent = [call.body["messages"] for call in server.calls if call.path.endswith("/chat/completions")]
    assert sent == [[{"role": "user", "content": prompt}]] * 2


@pytest.mark.parametrize("prompt", ["", "\x00\x1b\x07", "가" * 30_001])
def test_a_prompt_that_cannot_be_sent_opens_nothing(client: Client, battle: Battle, prompt: str) -> None:
    answer = client.post("/ko/arena/open/", {"kind": "live", "prompt": prompt})
    assert answer.status_code == 422
    assert Battle.objects.count() == 1
