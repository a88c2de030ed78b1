"""A fake OpenAI-compatible server on loopback for tests: `with FakeOpenAI() as server: ... server.base_url`.

`python -m tests.fake_openai --port 9000 --latency 0.05` runs it as a process of its own. It serves
`/v1/models`, `/v1/chat/completions` (stream and not) and `/v1/completions` (with echo and logprobs), and
`/control` (GET: counts; POST `{"model": {Behaviour fields}}`: change behaviours of a server in another
process).

A served model behaves as `server.behaviours[name]` says, or, unless set, as its name ends: `anything-429`,
`-500`, `-401`, `-404`, `-html`, `-null`, `-empty`, `-nochoices`, `-length`, `-slow`, `-cut`, `-garbage`; else
it answers.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import pytest

from tests.fake_answers import (
    KINDS,
    Behaviour,
    chat_payload,
    chunks,
    completions_payload,
    default_reply,
    error,
    logprob_of,
    tokens_of,
)

__all__ = ["KINDS", "Behaviour", "Call", "FakeOpenAI", "fake_openai", "logprob_of", "tokens_of"]

REASONS = {200: "OK", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests", 500: "Server Error"}
Reply = Callable[[str, list[dict[str, Any]]], str]
Pause = Callable[[str, list[dict[str, Any]]], float]


@dataclass(frozen=True)
class Call:
    """One request that reached the server: when (monotonic seconds), where, what and with which headers."""

    at: float
    path: str
    body: dict[str, Any]
    headers: dict[str, str]


class FakeOpenAI:
    """The server; runs in a thread of this process between `__enter__` and `__exit__`.

    `reply` makes the text of an answer from the model's name and the messages, `pause` how many seconds it takes
    besides; `latency` (seconds) applies to every model without a behaviour of its own; `calls` and `counts` say what
    arrived; `inflight_peak` the concurrency seen.
    """

    def __init__(
        self,
        *,
        models: tuple[str, ...] = ("fake-model",),
        reply: Reply = default_reply,
        pause: Pause | None = None,
        latency: float = 0.0,
        port: int = 0,
        keep_calls: bool = True,
    ) -> None:
        self.models, self.reply, self.latency, self.port, self.keep_calls = (
            models,
            reply,
            latency,
            port,
            keep_calls,
        )
        self.pause = pause
        self.behaviours: dict[str, Behaviour] = {}
        self.calls: list[Call] = []
        self.counts: Counter[str] = Counter()
        self.inflight = self.inflight_peak = 0
        self._seen: Counter[str] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve(started)), daemon=True)
        self._thread.start()
        if not started.wait(10):
            raise RuntimeError("the fake server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join(5)

    async def serve(self, started: threading.Event | None = None) -> None:
        """Serve until stopped; sets `port` when it was 0."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", self.port, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        if started is not None:
            started.set()
        await self._stop.wait()
        server.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
                raw = await reader.readexactly(int(headers.get("content-length", 0)))
                self.inflight += 1
                self.inflight_peak = max(self.inflight_peak, self.inflight)
                try:
                    await self._answer(writer, first.split(" ")[1], json.loads(raw) if raw else {}, headers)
                finally:
                    self.inflight -= 1
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError, _Cut):
            pass
        finally:
            writer.close()

    async def _answer(
        self, writer: asyncio.StreamWriter, path: str, body: dict[str, Any], headers: dict[str, str]
    ) -> None:
        if path == "/control":
            return await self._control(writer, body)
        if path == "/health":
            return _send(writer, 200, {})
        self.counts[path] += 1
        if self.keep_calls:
            self.calls.append(Call(time.monotonic(), path, body, headers))
        if path == "/v1/models":
            names = [*self.models, *self.behaviours]
            return _send(writer, 200, {"object": "list", "data": [{"id": n, "object": "model"} for n in names]})
        if path not in ("/v1/chat/completions", "/v1/completions"):
            return _send(writer, 404, error(f"no such path: {path}", "not_found"))
        model = str(body.get("model", ""))
        does = self._behaviour(model, body)
        await asyncio.sleep(does.slow if does.kind == "slow" else does.latency)
        if self.pause is not None:
            await asyncio.sleep(self.pause(model, body.get("messages", [])))
        if does.kind in ("429", "500", "401", "404", "html", "cut") and not body.get("stream"):
            return _fault(writer, does)
        if path == "/v1/completions":
            return _send(writer, 200, completions_payload(model, body, does))
        text = self._text(model, body, does)
        if body.get("stream"):
            return await _stream(writer, model, body, text, does)
        return _send(writer, 200, chat_payload(model, body, text, does))

    def _behaviour(self, model: str, body: dict[str, Any]) -> Behaviour:
        ending = model.rpartition("-")[2]
        does = self.behaviours.get(model) or Behaviour(ending if ending in KINDS else "ok", latency=self.latency)
        if does.only and does.only not in json.dumps(body, ensure_ascii=False):
            return dataclasses.replace(does, kind="ok")
        self._seen[model] += 1
        if does.times is not None and self._seen[model] > does.times:
            return dataclasses.replace(does, kind="ok")
        return does

    def _text(self, model: str, body: dict[str, Any], does: Behaviour) -> str | None:
        if does.kind in ("null", "empty"):
            return None if does.kind == "null" else ""
        return does.reply if does.reply is not None else self.reply(model, body.get("messages", []))

    async def _control(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        for model, fields in body.items():
            self.behaviours[model] = Behaviour(**fields)
            self._seen[model] = 0
        _send(writer, 200, {"counts": self.counts, "inflight_peak": self.inflight_peak})


class _Cut(Exception):
    """The connection is dropped in the middle, on purpose."""


def _send(
    writer: asyncio.StreamWriter, status: int, payload: Any, kind: str = "application/json", extra: str = ""
) -> None:
    raw = payload.encode() if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False).encode()
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\ncontent-type: {kind}\r\n{extra}"
    writer.write(f"{head}content-length: {len(raw)}\r\n\r\n".encode() + raw)


def _fault(writer: asyncio.StreamWriter, does: Behaviour) -> None:
    if does.kind == "html":
        return _send(writer, 200, "<!DOCTYPE html><html><body>Log in to the proxy</body></html>", "text/html")
    if does.kind == "cut":
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 400\r\n\r\n{"choices": [')
        raise _Cut
    extra = f"retry-after: {does.retry_after}\r\n" if does.retry_after is not None else ""
    codes = {
        "401": "invalid_api_key",
        "404": "model_not_found",
        "429": "rate_limit_exceeded",
        "500": "server_error",
    }
    _send(
        writer,
        int(does.kind),
        error(f"refused on purpose: {codes[does.kind]}", codes[does.kind]),
        extra=extra,
    )


async def _stream(
    writer: asyncio.StreamWriter, model: str, body: dict[str, Any], text: str | None, does: Behaviour
) -> None:
    if does.kind in ("429", "500", "401", "404", "html"):
        return _fault(writer, does)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    async for line in _lines(model, body, text, does):
        writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def _lines(model: str, body: dict[str, Any], text: str | None, does: Behaviour) -> AsyncIterator[bytes]:
    for n, chunk in enumerate(chunks(model, body, text, does)):
        if n == 2 and does.kind == "cut":
            raise _Cut
        if n == 2 and does.kind == "garbage":
            yield b"data: {not json at all\n\n"
        yield b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"
        if does.between:
            await asyncio.sleep(does.between)
    yield b"data: [DONE]\n\n"


@pytest.fixture
def fake_openai() -> Iterator[FakeOpenAI]:
    """A running fake server with one well-behaved model, `fake-model`."""
    with FakeOpenAI() as server:
        yield server


def main() -> None:
    parser = argparse.ArgumentParser(description="A fake OpenAI-compatible server on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--models", nargs="*", default=["fake-model"])
    args = parser.parse_args()
    server = FakeOpenAI(models=tuple(args.models), latency=args.latency, port=args.port, keep_calls=False)
    asyncio.run(server.serve())


if __name__ == "__main__":
    main()
