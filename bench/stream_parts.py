"""What `bench.streams` starts beside the site: a fake model server, a bare relay, readers, a reader of the board."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import urllib.request
from typing import Any

TOKENS, PER_SECOND = int(os.environ.get("TOKENS", "200")), 20
_EVENT = b'data: {"id": "x", "model": "m", "choices": [{"index": 0, "delta": %s, "finish_reason": %s}]}\n\n'
_TOKEN = _EVENT % (b'{"content": "<%.4f>"}', b"null")
_STOP = _EVENT % (b"{}", b'"stop"') + b"data: [DONE]\n\n"
STAMP = re.compile(r"<(\d+\.\d+)>")


async def models(port: int) -> None:
    """An event stream of stamped tokens for every request."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(re.search(rb"content-length: (\d+)", head.lower())[1])  # type: ignore[index]
        await reader.readexactly(size)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        due = time.monotonic()
        for _ in range(TOKENS):
            # Written by hand: the generator shares two cores with what is measured.
            writer.write(_TOKEN % time.time())
            due += 1 / PER_SECOND
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        writer.write(_STOP)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """The limit: two upstream streams into one frame every 100 ms, and nothing else."""
    import httpx2

    client = _client(httpx2)
    sides: list[list[str]] = [[], []]

    async def follow(side: list[str]) -> None:
        body = {"model": "m", "messages": [{"role": "user", "content": "?"}], "stream": True}
        async with client.stream("POST", f"{os.environ['MODELS']}/chat/completions", json=body) as response:
            rest = b""
            async for chunk in response.aiter_bytes():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.startswith(b"data: {"):
                        side.append(json.loads(line[6:])["choices"][0]["delta"].get("content", ""))

    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    tasks = [asyncio.create_task(follow(side)) for side in sides]
    while True:
        await asyncio.sleep(0.1)
        over = all(task.done() for task in tasks)
        texts = ["".join(side) for side in sides]
        for side in sides:
            side.clear()
        event = f"event: {'done' if over else 'frame'}\ndata: {json.dumps(texts)}\n\n".encode()
        await send({"type": "http.response.body", "body": event, "more_body": not over})
        if over:
            return


_clients: list[Any] = []


def _client(httpx2: Any) -> Any:
    if not _clients:
        _clients.append(httpx2.AsyncClient(limits=httpx2.Limits(max_connections=None), timeout=60))
    return _clients[0]


class Reading:
    """What one reader saw: its status, tokens, delays of each (s), and the time to the first (s)."""

    def __init__(self) -> None:
        self.status, self.tokens, self.first, self.done = 0, 0, 0.0, False
        self.delays: list[float] = []


async def read(port: int, path: str, cookie: str) -> Reading:
    got, began = Reading(), time.time()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: arena={cookie}\r\n\r\n".encode())
    got.status = int((await reader.readline()).split()[1])
    while line := await reader.readline():
        now = time.time()
        if line.startswith(b"event: done"):
            got.done = True
        stamps = [float(stamp) for stamp in STAMP.findall(line.decode())]
        if stamps and not got.first:
            got.first = now - began
        got.tokens += len(stamps)
        got.delays += [now - stamp for stamp in stamps]
        if got.status != 200 or (got.done and line == b"\r\n") or line == b"0\r\n":
            break
    writer.close()
    return got


def board(url: str, seconds: float) -> None:
    """Reads the board ten times a second and prints its p95 (ms)."""
    took, over = [], time.perf_counter() + seconds
    while (began := time.perf_counter()) < over:
        request = urllib.request.Request(url, headers={"Accept-Encoding": "br"})
        with urllib.request.urlopen(request, timeout=30) as response:
            response.read()
        took.append(time.perf_counter() - began)
        time.sleep(max(0.0, began + 0.1 - time.perf_counter()))
    print(f"{1000 * at(sorted(took), 0.95):.1f}")


def at(ordered: list[float], share: float) -> float:
    """The value below which `share` of the ordered ones lie."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
