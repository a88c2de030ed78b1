"""What dies in the storm, and when: the same for the product and for the naive control."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config import redis_server
from tests.site import alive, children_of

# Faults of each kind a minute.
A_MINUTE = {
    "worker SIGKILL": 20,
    "job process SIGKILL": 12,
    "child SIGKILL": 12,
    "worker SIGTERM (drain)": 4,
    "zombie (SIGSTOP, SIGCONT)": 4,
    "FLUSHALL": 5,
    "Redis killed, restarted empty": 3,
    "duplicate hint": 70,
}


def plan(seconds: float, chance: random.Random) -> list[str]:
    """The kinds of all faults of a storm in the order they come; at least one of each."""
    kinds = [kind for kind, n in A_MINUTE.items() for _ in range(max(1, round(n * seconds / 60)))]
    chance.shuffle(kinds)
    return kinds


class Redis:
    """A redis-server that the storm kills and starts again with nothing in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = redis_server.command(self.home)
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        redis_server.wait_until_ready(self.process, redis_server.socket(self.home))

    def restart_empty(self) -> None:
        self.stop()
        shutil.rmtree(self.home / "redis")
        self.start()

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def flush(self) -> None:
        from redis import Redis as Client

        with Client(unix_socket_path=str(redis_server.socket(self.home)), socket_timeout=5) as client:
            client.flushall()


@dataclass
class Crew:
    """Worker processes; whoever ends is replaced at once, as a service manager would."""

    command: list[str]
    size: int
    log: Path
    cwd: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    frozen: list[tuple[float, list[int]]] = field(default_factory=list)

    def keep(self) -> None:
        """Replaces who ended and wakes whoever slept long enough."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < self.size:
            self.workers.append(self._start())
        for due, pids in list(self.frozen):
            if time.monotonic() >= due:
                self.frozen.remove((due, pids))
                send(pids, signal.SIGCONT)

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.cwd
            )

    def stop(self) -> None:
        for _, pids in self.frozen:
            send(pids, signal.SIGCONT)
        send([worker.pid for worker in self.workers], signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.wait(10)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


@dataclass
class Storm:
    """Injects faults. `duplicate` gives a random hint twice more; `spares` names the workers left alone for now; `may`
    is asked once more right before a worker at work is struck: it may have taken another run meanwhile."""

    crew: Crew
    redis: Redis
    duplicate: Callable[[], None]
    lease: float
    chance: random.Random
    spares: Callable[[], set[int]] = set
    may: Callable[[int], bool] = lambda worker: True
    done: Counter[str] = field(default_factory=Counter)
    last: float = 0.0
    orphans: list[tuple[float, list[int]]] = field(default_factory=list)
    longest_orphan: float = 0.0

    def inject(self, kind: str) -> bool:
        """One fault; False where there was nothing to hit just now."""
        sleeping = {pid for _, pids in self.crew.frozen for pid in pids}
        spared = self.spares()
        able = [w.pid for w in self.crew.workers if w.poll() is None and w.pid not in sleeping | spared]
        if not self._hit(kind, able):
            return False
        self.done[kind] += 1
        self.last = time.monotonic()
        return True

    def _hit(self, kind: str, able: list[int]) -> bool:
        if kind == "duplicate hint":
            return self._quietly(self.duplicate)
        if kind == "FLUSHALL":
            return self._quietly(self.redis.flush)
        if kind == "Redis killed, restarted empty":
            return self._quietly(self.redis.restart_empty)
        worker = self.chance.choice(able) if able else 0
        below = family(worker) if worker else []
        if below and not self.may(worker):
            return False
        if kind == "worker SIGKILL" and worker:
            send([worker], signal.SIGKILL)
            self.orphans.append((time.monotonic(), below))
        elif kind == "worker SIGTERM (drain)" and worker:
            send([worker], signal.SIGTERM)
        elif kind == "zombie (SIGSTOP, SIGCONT)" and below:
            pids = [worker, *below]
            send(pids, signal.SIGSTOP)
            self.crew.frozen.append((time.monotonic() + self.lease + 1.5, pids))
        elif kind in ("job process SIGKILL", "child SIGKILL") and below:
            send([below[0] if kind.startswith("job") else below[-1]], signal.SIGKILL)
        else:
            return False
        return True

    @staticmethod
    def _quietly(act: Callable[[], None]) -> bool:
        from redis.exceptions import RedisError

        try:
            act()
        except (RedisError, OSError):
            return False
        return True

    def watch_orphans(self) -> None:
        """How long a killed worker's processes outlived it."""
        now = time.monotonic()
        for born, pids in list(self.orphans):
            if not any(alive(pid) for pid in pids):
                self.orphans.remove((born, pids))
            else:
                self.longest_orphan = max(self.longest_orphan, now - born)

    def rage(self, seconds: float, tick: Callable[[float], None]) -> None:
        """All faults of the plan spread over `seconds`; `tick(elapsed)` is called about every 50 ms."""
        kinds, started, waiting = plan(seconds, self.chance), time.monotonic(), list[str]()
        pause = seconds / len(kinds)
        while (elapsed := time.monotonic() - started) < seconds:
            self.crew.keep()
            self.watch_orphans()
            tick(elapsed)
            while kinds and len(kinds) * pause > seconds - elapsed:
                waiting.append(kinds.pop())
            waiting = [kind for kind in waiting if not self.inject(kind)]
            time.sleep(0.05)


def family(worker: int) -> list[int]:
    """The job process of a worker and its child, as far as there are any."""
    horses = children_of(worker)
    return horses[:1] + [child for horse in horses[:1] for child in children_of(horse)][:1]


def send(pids: list[int], number: int) -> None:
    """A signal to each that still runs."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def as_table(rows: list[tuple[str, Any]]) -> str:
    return "\n".join(f"  {name:44} {value}" for name, value in rows)
