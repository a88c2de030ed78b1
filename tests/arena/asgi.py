"""Reads a stream the way a browser would, without a web server between."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from arena.stream_door import StreamDoor


@dataclass
class Read:
    """What came back: status, headers, all bytes, and when each event came (seconds)."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    at: list[float] = field(default_factory=list)

    @property
    def events(self) -> list[tuple[str, list[str]]]:
        found = []
        for block in self.body.decode().split("\n\n"):
            if block:
                name, data = block.split("\n")
                found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
        return found

    @property
    def texts(self) -> list[str]:
        """What each side said over all frames."""
        frames = [data for name, data in self.events if name == "frame"]
        return ["".join(parts) for parts in zip(*frames, strict=True)]


async def nothing_here(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 599, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def new_door() -> StreamDoor:
    return StreamDoor(nothing_here)


async def read(
    door: StreamDoor, key: str, cookie: str = "", leave_after: float | None = None, method: str = "GET"
) -> Read:
    """One request; with `leave_after` the reader goes after so many seconds."""
    got, gone = Read(), asyncio.Event()
    headers = [(b"cookie", f"other=1; arena={cookie}".encode())] if cookie else []
    scope = {"type": "http", "method": method, "path": f"/arena/stream/{key}", "headers": headers, "query_string": b""}
    first = True

    async def receive() -> dict[str, Any]:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            got.status = message["status"]
            got.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            got.body += message.get("body", b"")
            got.at.append(asyncio.get_running_loop().time())

    if leave_after is not None:
        asyncio.get_running_loop().call_later(leave_after, gone.set)
    await door(scope, receive, send)
    return got
