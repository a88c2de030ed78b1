"""Votes under fire: RATE a second, each sent three times in the same instant, while web workers are killed.

    .venv/bin/python -m bench.vote_storm [--seconds 60] [--rate 200] [--kills 10] [--databases sqlite postgres]

A vote that was acknowledged must be stored, as it was told, once, and counted once; p95 ≤ 150 ms from the moment it
should have been sent. Who gets no answer sends again, as a browser's visitor would.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.lanes import ROOT, Missing, free_port, nothing, postgres

WORKERS, VOTERS, MODELS, COPIES = 2, 400, 20, 3
CSRF = "c" * 32
WINNERS = ("a", "b", "tie", "bothbad")
GIVE_UP = 15.0


@dataclass
class Outcome:
    """What a storm left. `lost`: acknowledged and not stored so. `double`: stored or counted more than once."""

    votes: int
    acknowledged: int = 0
    lost: int = 0
    double: int = 0
    unanswered: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    cpu_ms_per_request: float = 0.0


def prepare(folder: Path, votes: int) -> None:
    """A database with so many complete battles nobody has voted on, and a list of (key, cookie, winner) beside it."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.utils import timezone

    from arena import voters
    from arena.models import Battle, Voter
    from runners.models import Conversation
    from tests.arena.people import make_contenders

    call_command("migrate", verbosity=0)
    models = make_contenders(MODELS)
    sides = {one.revision_id: one for one in Conversation.objects.all()}
    chance, now = random.Random(1), timezone.now()
    cookies = [voters._SIGNER.sign(f"voter-{number}") for number in range(VOTERS)]
    people = Voter.objects.bulk_create(Voter(key=voters.key_of(cookie), consented_at=now) for cookie in cookies)
    battles, lines = [], []
    for number in range(votes):
        left, right = chance.sample(models, 2)
        battles.append(
            Battle(
                kind="recorded",
                status="complete",
                left=sides[left.pk],
                right=sides[right.pk],
                left_revision=left,
                right_revision=right,
                item="ko-mt/writing-01",
                category="writing",
                voter=people[number % VOTERS],
                network_hash=f"network-{number % 97}",
                completed_at=now - timedelta(seconds=9),
            )
        )
        lines.append((battles[-1].key, cookies[number % VOTERS], chance.choice(WINNERS)))
    Battle.objects.bulk_create(battles, batch_size=1000)
    (folder / "votes.json").write_text(json.dumps(lines))


class Client:
    """Keeps connections open like a proxy; an answer or None where the connection broke."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def vote(self, key: str, cookie: str, winner: str) -> tuple[int, dict[str, Any]] | None:
        body = f"winner={winner}&csrfmiddlewaretoken={CSRF}"
        head = (
            f"POST /ko/arena/battles/{key}/vote/ HTTP/1.1\r\nHost: localhost:{self.port}\r\n"
            f"Accept: application/json\r\nOrigin: http://localhost:{self.port}\r\n"
            f"Cookie: arena={cookie}; csrftoken={CSRF}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            if not self.idle:
                self.idle.append(await asyncio.open_connection("127.0.0.1", self.port))
            reader, writer = self.idle.pop()
            writer.write((head + body).encode())
            answer = await asyncio.wait_for(self._answer(reader), GIVE_UP)
        except (OSError, EOFError, TimeoutError, ValueError):
            return None
        self.idle.append((reader, writer))
        return answer

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        body = b""
        if "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
        else:
            while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readexactly(2)
        return int(lines[0].split(" ")[1]), json.loads(body) if body.startswith(b"{") else {}


async def send(client: Client, line: tuple[str, str, str], due: float, told: dict[str, Any]) -> None:
    """One copy of a vote until it is answered; the seconds since it was due, and what was acknowledged."""
    loop, key = asyncio.get_running_loop(), line[0]
    await asyncio.sleep(due - loop.time())
    while loop.time() < due + GIVE_UP:
        answer = await client.vote(*line)
        if answer is None:
            await asyncio.sleep(0.05)
            continue
        told["seconds"].append(loop.time() - due)
        if answer[0] == 200:
            told["acknowledged"].setdefault(key, set()).add((answer[1]["vote"], answer[1]["winner"]))
        else:
            told["refused"][str(answer[0])] += 1
        return
    told["unanswered"] += 1


async def kill(master: int, times: int, seconds: float) -> int:
    """Kills a worker, chosen at random, at even steps; how many were killed."""
    chance, done = random.Random(2), 0
    for _ in range(times):
        await asyncio.sleep(seconds / (times + 1))
        if children := _children(master):
            os.kill(chance.choice(children), signal.SIGKILL)
            done += 1
    return done


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def rage(port: int, master: int, lines: list[Any], rate: float, kills: int) -> tuple[dict[str, Any], int]:
    """All votes at their times; what was told to the voters, and the kills."""
    told: dict[str, Any] = {"seconds": [], "acknowledged": {}, "refused": Counter(), "unanswered": 0}
    client, begin = Client(port), asyncio.get_running_loop().time() + 0.5
    killing = asyncio.create_task(kill(master, kills, len(lines) / rate))
    copies = [
        send(client, tuple(line), begin + number / rate, told)
        for number, line in enumerate(lines)
        for _ in range(COPIES)
    ]
    await asyncio.gather(*copies)
    return told, await killing


def judge(told: dict[str, Any], outcome: Outcome) -> Outcome:
    """Compares what was acknowledged with what is stored and counted."""
    import django

    django.setup()
    from arena import roster, tallies
    from arena.models import Vote

    stored = {key: (pk, winner) for key, pk, winner in Vote.objects.values_list("battle__key", "pk", "winner")}
    acknowledged = told["acknowledged"]
    outcome.acknowledged = len(acknowledged)
    outcome.lost = sum(any(one != stored.get(key) for one in said) for key, said in acknowledged.items())
    outcome.double = Vote.objects.count() - len(stored) + len(tallies.difference(roster.source()))
    outcome.unanswered, outcome.refused = told["unanswered"], dict(told["refused"])
    seconds = sorted(told["seconds"]) or [float("nan")]
    p50, p95, p99 = (round(1000 * seconds[int(share * (len(seconds) - 1))], 1) for share in (0.5, 0.95, 0.99))
    outcome.p50_ms, outcome.p95_ms, outcome.p99_ms = p50, p95, p99
    return outcome


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and of all its children, the dead ones too."""
    total = 0.0
    for one in (pid, *_children(pid)):
        fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return total


def storm(database: str, seconds: float, rate: float, kills: int) -> Outcome:
    """A storm on a database of its own, "sqlite" or "postgres". Raises tests.lanes.Missing."""
    with (postgres if database == "postgres" else nothing)() as (needs, _), tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ, "DATABASE_URL": "", "GYEORU_HOME": folder, "DJANGO_SETTINGS_MODULE": "config.settings",
            "GYEORU_LOG_LEVEL": "ERROR", **needs,
        }  # fmt: skip
        command = [sys.executable, "-m", "bench.vote_storm", "--inside", folder, "--rate", str(rate)]
        command += ["--seconds", str(seconds), "--kills", str(kills)]
        done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE)
        return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def inside(folder: Path, seconds: float, rate: float, kills: int) -> Outcome:
    """The storm itself, where the environment names the database."""
    prepare(folder, int(seconds * rate))
    port, lines = free_port(), json.loads((folder / "votes.json").read_text())
    web = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "config.asgi:application"]
    own = {"PORT": str(port), "GYEORU_WEB_WORKERS": str(WORKERS)}
    with subprocess.Popen(web, cwd=ROOT, env={**os.environ, **own}) as master:
        try:
            asyncio.run(_ready(port))
            before = cpu_of(master.pid)
            told, killed = asyncio.run(rage(port, master.pid, lines, rate, kills))
            used = cpu_of(master.pid) - before
        finally:
            master.send_signal(signal.SIGTERM)
    outcome = judge(told, Outcome(votes=len(lines), kills=killed))
    outcome.cpu_ms_per_request = round(1000 * used / (COPIES * len(lines)), 2)
    return outcome


async def _ready(port: int) -> None:
    client = Client(port)
    for _ in range(300):
        if await client.vote("nobody", "", "a") is not None:
            return
        await asyncio.sleep(0.1)
    raise SystemExit("the site did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--databases", nargs="*", default=["sqlite", "postgres"])
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(asdict(inside(options.inside, options.seconds, options.rate, options.kills))))
        return
    print(f"{options.rate:g} votes/s × {COPIES} for {options.seconds:g} s, {options.kills} workers killed")
    for database in options.databases:
        load = os.getloadavg()[0]
        try:
            outcome = storm(database, options.seconds, options.rate, options.kills)
        except Missing as missing:
            print(f"{database}: skipped, {missing}")
            continue
        print(f"{database} (load before {load:.1f}, after {os.getloadavg()[0]:.1f}):", flush=True)
        print("  " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in asdict(outcome).items()))


if __name__ == "__main__":
    main()
