"""The published pages' short way out: an ASGI layer that answers from memory before Django's request machinery starts.

It knows nothing of its own. The first reader of a page is answered by Django; the headers of that answer are kept and
sent again with the page's current bytes, so that both ways say the same.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from arena.asgi import Application, Receive, Scope, Send
from leaderboard.published import Page, cached

Headers = list[tuple[bytes, bytes]]

# These belong to one answer, not to the page.
_OWN = frozenset((b"content-length", b"content-encoding", b"etag", b"date", b"server", b"set-cookie"))


class FrontDoor:
    """Serves GET of published pages; everything else goes to `application`."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._headers: dict[str, Headers] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.application(scope, receive, send)
            return
        query = scope.get("query_string", b"")
        key = f"{scope['path']}?{query.decode('latin-1')}" if query else scope["path"]
        page = cached(key)
        if page is not None and (headers := self._headers.get(key)) is not None:
            await _answer(page, headers, scope, send)
            return
        await self.application(scope, receive, send if page is None else self._learning(key, send))

    def _learning(self, key: str, send: Send) -> Send:
        """`send` that keeps the headers of a whole, public answer to `key`."""

        async def watched(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                headers = [(name.lower(), value) for name, value in message["headers"]]
                if not any(name == b"set-cookie" for name, _ in headers):
                    self._headers[key] = [(name, value) for name, value in headers if name not in _OWN]
            await send(message)

        return watched


async def _answer(page: Page, headers: Headers, scope: Scope, send: Send) -> None:
    """The page in the reader's encoding, or 304 where the reader has it."""
    asked = {name: value for name, value in scope["headers"] if name in (b"if-none-match", b"accept-encoding")}
    etag = page.etag.encode()
    if asked.get(b"if-none-match") == etag:
        await send({"type": "http.response.start", "status": 304, "headers": [*headers, (b"etag", etag)]})
        await send({"type": "http.response.body", "body": b""})
        return
    body, encoding = page.encoded(asked.get(b"accept-encoding", b"").decode("latin-1"))
    own = [(b"etag", etag), (b"content-length", str(len(body)).encode())]
    if encoding:
        own.append((b"content-encoding", encoding.encode()))
    await send({"type": "http.response.start", "status": 200, "headers": [*headers, *own]})
    await send({"type": "http.response.body", "body": body})
