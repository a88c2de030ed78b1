"""Live battles streaming at once: every token's added delay, first tokens, CPU beside a bare ASGI relay, and the 301st.

Models, the web processes and the readers are processes of their own on this machine; every token carries the time it
was sent. The bare relay does the same work (two upstream streams, a frame every 100 ms) without Django and rows. Once
all battles begin in the same instant, once within RAMP seconds. A second web process serves the board meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import board as board_bench
from bench.stream_parts import PER_SECOND, TOKENS, Reading, at, board, models, read
from tests.lanes import ROOT, free_port

BATTLES = int(os.environ.get("BATTLES", "300"))
RAMP = float(os.environ.get("RAMP", "4"))


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


async def measure(name: str, pid: int, port: int, paths: list[str], cookie: str, over: float, extra: str = "") -> float:
    """Reads all streams, begun within `over` seconds, and prints what came; the CPU seconds it took the server."""
    before, refused, took = cpu_of(pid), None, 0.0
    waiting = []
    for path in paths:
        waiting.append(asyncio.create_task(read(port, path, cookie)))
        if over:
            await asyncio.sleep(over / len(paths))
    if extra:
        await asyncio.sleep(TOKENS / PER_SECOND / 2 - over / 2)
        began = time.perf_counter()
        refused = await read(port, extra, cookie)
        took = time.perf_counter() - began
    got: list[Reading] = await asyncio.gather(*waiting)
    used = cpu_of(pid) - before
    delays = sorted(delay for one in got for delay in one.delays)
    firsts = sorted(one.first for one in got)
    tokens, wanted = sum(one.tokens for one in got), 2 * TOKENS * len(paths)
    print(
        f"{name:11} {sum(one.done for one in got)}/{len(paths)} whole, {tokens:,}/{wanted:,} tokens; added delay p50 "
        f"{at(delays, 0.5):.3f} p95 {at(delays, 0.95):.3f} s; first token p95 {at(firsts, 0.95):.2f} s; "
        f"CPU {used:.1f} s; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    if refused is not None:
        print(f"{'':11} the {len(paths) + 1}st: {refused.status} after {1000 * took:.0f} ms")
    return used


async def board_p95(port: int, seconds: float) -> float:
    """The board's p95 in ms, read ten times a second by a process of its own."""
    words = ("-m", "bench.streams", "board", f"http://127.0.0.1:{port}{board_bench.PATH}", str(seconds))
    child = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=ROOT, stdout=subprocess.PIPE)
    out, _ = await child.communicate()
    return float(out)


def battles(home: str, url: str) -> tuple[str, list[str]]:
    """A site's database with twice so many battles that wait for readers, and two more; the cookie, the paths."""
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
    board_bench.seed()
    made = [verbs.open_live(voter, "n", "안녕하세요") for _ in range(2 * BATTLES + 2)]
    return cookie, [f"/arena/stream/{one.stream_key}" for one in made]


async def main() -> None:
    upstream, site, limit, pages = (free_port() for _ in range(4))
    url = f"http://127.0.0.1:{upstream}/v1"
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    load = os.getloadavg()[0]
    print(f"{BATTLES} battles, {TOKENS} tokens a side at {PER_SECOND}/s; load average before: {load:.1f}")
    cookie, paths = await asyncio.to_thread(battles, os.environ["GYEORU_HOME"], url)
    halves = paths[: BATTLES + 1], paths[BATTLES + 1 :]
    gunicorn = ("-m", "gunicorn", "-c", "config/gunicorn.py")
    web = (*gunicorn, "config.asgi:application")
    own = {"GYEORU_WEB_WORKERS": "1", "GYEORU_ARENA_STREAMS": str(BATTLES)}
    with (
        process("-m", "bench.streams", "models", str(upstream)),
        process(*gunicorn, "bench.stream_parts:bare", PORT=str(limit), MODELS=url, **own) as bare,
        process(*web, PORT=str(site), **own) as arena,
        process(*web, PORT=str(pages), **own),
    ):
        for port in (upstream, limit, site, pages):
            await wait_for(port)
        await read(limit, "/", "")
        await read(site, "/ko/arena/", "")
        await board_p95(pages, 3)
        idle = await board_p95(pages, 8)
        for over, mine, name in ((0.0, halves[0], "at once"), (RAMP, halves[1], f"within {RAMP:g} s")):
            print(f"begun {name}")
            least = await measure("bare relay", bare.pid, limit, ["/"] * BATTLES, "", over)
            busy = asyncio.create_task(board_p95(pages, TOKENS / PER_SECOND))
            used = await measure("arena", arena.pid, site, mine[:-1], cookie, over, mine[-1])
            print(f"{'':11} CPU {used / least:.2f} × the bare relay; board p95 {await busy:.0f} ms, idle {idle:.0f} ms")


if __name__ == "__main__":
    if sys.argv[1:2] == ["models"]:
        asyncio.run(models(int(sys.argv[2])))
    elif sys.argv[1:2] == ["board"]:
        board(sys.argv[2], float(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            os.environ |= {
                "GYEORU_HOME": folder,
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "GYEORU_LOG_LEVEL": "ERROR",
            }
            asyncio.run(main())
