"""Live battles streaming at once: every token's added delay, first tokens, CPU beside a bare ASGI relay, and the 301st.

Models, the web process and the readers are processes of their own on this machine; every token carries the time
it was sent. The bare relay does the same work (two upstream streams, a frame every 100 ms) without Django and rows.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lanes import ROOT, free_port

BATTLES = int(os.environ.get("BATTLES", "300"))
TOKENS, PER_SECOND = int(os.environ.get("TOKENS", "200")), 20
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
            writer.write(_line({"content": f"<{time.time():.4f}>"}))
            due += 1 / PER_SECOND
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        writer.write(_line({}, "stop") + b"data: [DONE]\n\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


def _line(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "x", "model": "m", "choices": [choice]}).encode() + b"\n\n"


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


@contextmanager
def process(*words: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env={**os.environ, **environment}, stderr=subprocess.DEVNULL
    )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(20)


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and its children, from /proc."""
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(folder.name) == pid or int(fields[1]) == pid:
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


async def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise SystemExit(f"nothing listens on {port}")


async def measure(name: str, pid: int, port: int, paths: list[str], cookie: str, extra: str = "") -> float:
    """Reads all streams at once and prints what came; the CPU seconds it took the server."""
    await wait_for(port)
    await read(port, "/ko/arena/" if extra else "/", "")
    before = cpu_of(pid)
    waiting = [asyncio.create_task(read(port, path, cookie)) for path in paths]
    refused: Reading | None = None
    if extra:
        await asyncio.sleep(TOKENS / PER_SECOND / 2)
        began = time.perf_counter()
        refused = await read(port, extra, cookie)
        took = time.perf_counter() - began
    got = await asyncio.gather(*waiting)
    used = cpu_of(pid) - before
    delays = sorted(delay for one in got for delay in one.delays)
    firsts = sorted(one.first for one in got)
    tokens, wanted = sum(one.tokens for one in got), 2 * TOKENS * len(paths)
    print(
        f"{name:12} {sum(one.done for one in got)}/{len(paths)} whole, {tokens:,}/{wanted:,} tokens; added delay p50 "
        f"{_at(delays, 0.5):.3f} p95 {_at(delays, 0.95):.3f} s; first token p95 {_at(firsts, 0.95):.2f} s; "
        f"CPU {used:.1f} s"
    )
    if refused is not None:
        print(f"{'':12} the {len(paths) + 1}st: {refused.status} after {1000 * took:.0f} ms")
    return used


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def battles(home: str, url: str) -> tuple[str, list[str]]:
    """A site's database with so many battles whose streams wait, and one more; the reader's cookie and the paths."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.utils import timezone

    from arena import battles as verbs
    from arena import voters
    from arena.models import Voter
    from tests.arena.people import make_served

    call_command("migrate", verbosity=0)
    for name in ("one", "two"):
        make_served(url, name, name)
    cookie = voters._SIGNER.sign("bench")
    voter = Voter.objects.create(key=voters.key_of(cookie), consented_at=timezone.now())
    made = [verbs.open_live(voter, "n", "안녕하세요") for _ in range(BATTLES + 1)]
    return cookie, [f"/arena/stream/{one.stream_key}" for one in made]


async def main() -> None:
    upstream, site, limit = free_port(), free_port(), free_port()
    url = f"http://127.0.0.1:{upstream}/v1"
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    load = os.getloadavg()[0]
    print(f"{BATTLES} battles, {TOKENS} tokens a side at {PER_SECOND}/s; load average before: {load:.1f}")
    gunicorn = ("-m", "gunicorn", "-k", "asgi", "-w", "1", "--no-control-socket", "--log-level", "error")
    with process("-m", "bench.streams", "models", str(upstream)):
        await wait_for(upstream)
        with process(*gunicorn, "-b", f"127.0.0.1:{limit}", "bench.streams:bare", MODELS=url) as child:
            least = await measure("bare relay", child.pid, limit, ["/"] * BATTLES, "")
        cookie, paths = await asyncio.to_thread(battles, os.environ["GYEORU_HOME"], url)
        web = ("-m", "gunicorn", "-c", "config/gunicorn.py", "config.asgi:application")
        own = {"PORT": str(site), "GYEORU_WEB_WORKERS": "1", "GYEORU_ARENA_STREAMS": str(BATTLES)}
        with process(*web, **own) as child:
            used = await measure("arena", child.pid, site, paths[:-1], cookie, paths[-1])
    print(f"CPU {used / least:.2f} × the bare relay")


if __name__ == "__main__":
    if sys.argv[1:2] == ["models"]:
        asyncio.run(models(int(sys.argv[2])))
    else:
        with tempfile.TemporaryDirectory() as folder:
            os.environ |= {
                "GYEORU_HOME": folder,
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "GYEORU_LOG_LEVEL": "ERROR",
            }
            asyncio.run(main())
