"""Streams of tokens from good and bad servers, byte by byte: what is read, and how each fault is named."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import pytest

from runners.adapters import chat_stream, wire
from runners.adapters.chat import ChatError
from runners.adapters.chat_stream import ChatStream, Ending
from runners.models import Endpoint

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ONCE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


def _event(**delta: object) -> bytes:
    finish = delta.pop("finish", None)
    event = {"model": "who", "system_fingerprint": "fp", "choices": [{"delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(event).encode() + b"\n\n"


USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}\n\n'
DONE = b"data: [DONE]\n\n"
WHOLE = [b": ping\n\n", _event(content="안녕"), _event(content="하세요"), _event(finish="stop"), USAGE, DONE]


def _chunked(*parts: bytes, end: bool = True) -> bytes:
    return b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts) + (b"0\r\n\r\n" if end else b"")


def _sends(*pieces: bytes, pause: float = 0.0) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        writer.close()

    return serve


def _read(serve: Serve, seconds: float = 5.0, **endpoint: str) -> tuple[str, ChatStream, bytes]:
    """The text of a stream read to its end, the stream, and the request. Raises what the stream raises."""

    async def go() -> tuple[str, ChatStream, bytes]:
        asked: list[bytes] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1]
            asked.append(head + await reader.readexactly(int(size)))
            await serve(reader, writer)

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            to = Endpoint(base_url=f"http://127.0.0.1:{port}/v1", served_name="m", **endpoint)
            stream = ChatStream(to, [{"role": "user", "content": "?"}], temperature=0.5, max_tokens=9)
            text, limit = "", time.monotonic() + seconds
            try:
                while stream.ending is None and time.monotonic() < limit:
                    await asyncio.sleep(0.01)
                    text += stream.look()
            finally:
                stream.close()
            return text, stream, asked[0]

    return asyncio.run(go())


def test_a_stream_is_read_with_its_facts_and_times() -> None:
    text, stream, asked = _read(_sends(STREAM, _chunked(*WHOLE)))
    assert text == "안녕하세요"
    assert stream.ending == Ending("stop", 3, 2, "who", "fp")
    assert stream.first_seconds is not None and stream.seconds is not None
    assert 0 <= stream.first_seconds <= stream.seconds < 5
    assert asked.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:")
    assert json.loads(asked.partition(b"\r\n\r\n")[2])["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("size", [1, 7])
def test_cut_anywhere_the_same_is_read(size: int) -> None:
    raw = STREAM + _chunked(*WHOLE)
    assert _read(_sends(*(raw[at : at + size] for at in range(0, len(raw), size))))[0] == "안녕하세요"


def test_a_body_that_ends_with_the_connection_is_whole_with_its_done() -> None:
    assert _read(_sends(ONCE + b"".join(WHOLE)))[0] == "안녕하세요"


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (STREAM + _chunked(*WHOLE[:-1]), "endpoint_error"),
        (ONCE + b"".join(WHOLE[:-1]), "endpoint_error"),
        (STREAM + _chunked(*WHOLE[:2], DONE), "endpoint_error"),
        (STREAM + _chunked(*WHOLE[:2], end=False), "endpoint_down"),
        (STREAM + _chunked(b"data: {broken\n\n"), "endpoint_error"),
        (STREAM + _chunked(b'data: {"error": {"message": "no room for who"}}\n\n'), "endpoint_error"),
        (STREAM + _chunked(_event(content=["no text"])), "endpoint_error"),
        (STREAM + b"zz\r\nno chunk\r\n", "endpoint_down"),
        (STREAM + _chunked(b"data: " + b"x" * 1_100_000), "endpoint_error"),
        (STREAM + _chunked(*[_event(content="x" * 50_000)] * 5), "endpoint_error"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>", "endpoint_html"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n", "endpoint_error"),
        (b"HTTP/1.1 429 Slow\r\ncontent-length: 4\r\n\r\nwait", "rate_limited"),
        (b"HTTP/1.1 418 No\r\n\r\n" + b"x" * 2000, "bad_request"),
        (b"HTTP/1.1 503 Away\r\ncontent-length: 9\r\n\r\nhalf", "endpoint_error"),
        (b"no http at all\r\n\r\n", "endpoint_down"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000, "endpoint_down"),
        (b"", "endpoint_down"),
    ],
)
def test_every_fault_has_its_kind(sent: bytes, kind: str) -> None:
    with pytest.raises(ChatError) as caught:
        _read(_sends(sent))
    assert caught.value.kind == kind


def test_a_flood_is_held_back_until_somebody_looks() -> None:
    async def go() -> int:
        async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(STREAM)
            for _ in range(300):
                writer.write(_chunked(b": " + b"x" * 100_000 + b"\n", end=False))
                await writer.drain()

        async with await asyncio.start_server(flood, "127.0.0.1", 0) as server:
            connected = await wire.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", [], b"")
            await asyncio.sleep(0.3)
            held = connected._held
            assert sum(len(one.data) for one in connected.events() if isinstance(one, wire.Piece)) > wire.HELD / 2
            await asyncio.sleep(0.1)
            assert connected._held > 0, "after a look it goes on"
            connected.close()
            return held

    assert wire.HELD < asyncio.run(go()) < 2 * wire.HELD


def test_thinking_is_a_sign_of_life_and_silence_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_stream, "FIRST_SECONDS", 0.4)
    monkeypatch.setattr(chat_stream, "STALL_SECONDS", 0.4)
    thinking = [STREAM, *[_chunked(_event(reasoning_content="음"), end=False)] * 4, _chunked(*WHOLE)]
    assert _read(_sends(*thinking, pause=0.2))[0] == "안녕하세요"
    pings = [STREAM, *[_chunked(b": ping\n\n", end=False)] * 20]
    with pytest.raises(ChatError, match=r"no token in 0\.4 s") as caught:
        _read(_sends(*pings, pause=0.2))
    assert caught.value.kind == "endpoint_slow"


def test_a_key_is_sent_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "sk-secret")
    assert b"authorization: Bearer sk-secret\r\n" in _read(_sends(STREAM, _chunked(*WHOLE)), key_env="A_KEY")[2]
    monkeypatch.setenv("A_KEY", "sk-secret\r\nx: y")
    with pytest.raises(ChatError) as caught:
        _read(_sends(b""), key_env="A_KEY")
    assert "secret" not in caught.value.message
    monkeypatch.delenv("A_KEY")
    with pytest.raises(ChatError, match="A_KEY is not set"):
        _read(_sends(b""), key_env="A_KEY")


def test_a_server_behind_a_proxy_is_reached_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> bytes:
        heads: list[bytes] = []

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 403 No\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            monkeypatch.setenv("no_proxy", "here.example")
            with pytest.raises(wire.WireError, match=r"the proxy 127\.0\.0\.1 refused"):
                await wire.post("https://api.example/v1", [], b"")
        return heads[0]

    assert asyncio.run(go()).startswith(b"CONNECT api.example:443 HTTP/1.1\r\n")


def test_nobody_there_is_said() -> None:
    async def go() -> None:
        stream = ChatStream(Endpoint(base_url="http://127.0.0.1:1/v1"), [], temperature=0, max_tokens=1)
        await asyncio.sleep(0.1)
        try:
            stream.look()
        finally:
            stream.close()

    with pytest.raises(ChatError) as caught:
        asyncio.run(go())
    assert caught.value.kind == "endpoint_down"
