"""The address of the streams, `GET /arena/stream/<one-time id>`, as a bare ASGI layer before Django.

Middleware costs a thread hop per layer and stream; this needs the session's cookie and two short looks at the database.
An event is `frame` (new text per side), `done` or `broken`; no event names a model, a number of tokens or an error.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeVar

from django.conf import settings

from arena import streams
from arena.asgi import Application, Receive, Scope, Send
from arena.gathering import Gathering, let_go
from arena.relay import Broken, Relay, until
from arena.streams import Turn
from arena.voters import COOKIE, key_of
from runners.adapters.chat import ChatError
from runners.adapters.chat_stream import ChatStream

log = logging.getLogger(__name__)
PREFIX = "/arena/stream/"
RETRY_AFTER = 10
WAITING = 10
Result = TypeVar("Result")
_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"vary", b"Cookie"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-accel-buffering", b"no"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class StreamDoor:
    """Serves the arena's streams, `settings.ARENA_STREAMS` at once; everything else goes to `application`."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.open = 0
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="arena-stream")
        self._take = Gathering(streams.take, self._threads)
        self._finish = Gathering(streams.finish, self._threads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self.application(scope, receive, send)
            return
        if scope["method"] != "GET":
            await _refuse(send, 405)
            return
        if self.open >= settings.ARENA_STREAMS:
            # Before the one-time id is looked at: it still holds when room has come.
            await _refuse(send, 503, [(b"retry-after", str(RETRY_AFTER).encode())])
            return
        self.open += 1
        try:
            turn = await self._take((scope["path"].removeprefix(PREFIX).strip("/"), _voter(scope)))
            if turn.status != 200:
                await _refuse(send, turn.status)
                return
            await self._serve(turn, receive, send)
        finally:
            self.open -= 1

    async def _serve(self, turn: Turn, receive: Receive, send: Send) -> None:
        headers = [*_HEADERS, (b"content-type", b"text/event-stream; charset=utf-8")]
        left = True
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            left = not await until(_leaving(receive), self._relay(turn, send))
        except (ConnectionError, OSError):
            log.info("a reader of a stream is gone")
        finally:
            if left:
                await asyncio.shield(self._database(streams.fail, turn, "reader_left"))
        if not left:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _relay(self, turn: Turn, send: Send) -> None:
        relay = Relay(
            [
                ChatStream(side.endpoint, side.messages, temperature=side.temperature, max_tokens=side.max_tokens)
                for side in turn.sides
            ]
        )
        quiet = 0
        try:
            async with aclosing(relay.frames()) as frames:
                async for texts in frames:
                    quiet = 0 if texts else quiet + 1
                    if texts:
                        await _event(send, "frame", texts)
                    elif quiet % WAITING == 1:
                        await _event(send, "waiting", [])
        except Broken as broken:
            kind = broken.error.kind if isinstance(broken.error, ChatError) else "internal"
            log.warning("a battle broke off (%s): %s", kind, broken.error)
            await self._database(streams.fail, turn, kind, broken.side)
            await _event(send, "broken", [])
            return
        answered = await self._database(streams.review, turn, relay.sides)
        whole = answered is not None and await self._finish(answered)
        await _event(send, "done" if whole else "broken", [])

    async def _database(self, call: Callable[..., Result], *arguments: Any) -> Result:
        def closing() -> Result:
            try:
                return call(*arguments)
            finally:
                let_go()

        return await asyncio.get_running_loop().run_in_executor(self._threads, closing)


async def _leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _event(send: Send, name: str, data: list[str]) -> None:
    body = f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
    await send({"type": "http.response.body", "body": body.encode(), "more_body": True})


async def _refuse(send: Send, status: int, more: list[tuple[bytes, bytes]] | None = None) -> None:
    headers = [*_HEADERS, *(more or []), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


def _voter(scope: Scope) -> str:
    """The voter's key from the request's cookies; empty where there is none."""
    for name, value in scope["headers"]:
        if name == b"cookie":
            try:
                morsel = SimpleCookie(value.decode("latin-1")).get(COOKIE)
            except CookieError:
                continue
            if morsel is not None:
                return key_of(morsel.value)
    return ""
