"""The naive control in the same storm: plain RQ, `Retry(max=3)`, nothing but Redis to know what is due.

`python -m tests.storm.control SECONDS SEED` prints one JSON object. It is meant to fail: a storm that it survives
proves nothing.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from config import redis_server
from tests.lanes import ROOT
from tests.storm.faults import Crew, Redis, Storm

WORKERS = 4
JOBS_A_SECOND = 5.0
JOB_SECONDS = 0.25
QUIET_SECONDS = 15.0


def work(path: str, number: int) -> None:
    """The job: takes its time, then writes its result."""
    time.sleep(JOB_SECONDS)
    with sqlite3.connect(path, timeout=20) as database:
        database.execute("INSERT INTO result (job) VALUES (?)", (number,))


def main(seconds: float, seed: int) -> dict[str, Any]:
    """Storms for `seconds`, waits until nothing has come for a while, and counts."""
    home = Path(os.environ["GYEORU_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    path = str(home / "results.sqlite3")
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE result (job INTEGER)")
    redis = Redis(home)
    url = f"unix://{redis_server.socket(home)}"
    command = [sys.executable, "-c", "from rq.cli import main; main()", "worker", "--url", url, "storm"]
    crew = Crew(command, WORKERS, home / "workers.log", ROOT)
    chance = random.Random(seed)
    jobs = Jobs(url, path, seconds, chance)
    storm = Storm(crew, redis, jobs.duplicate, 3.0, chance)
    try:
        crew.keep()
        time.sleep(1)
        storm.rage(seconds, jobs)
        wait_for_quiet(crew, path)
    finally:
        crew.stop()
        redis.stop()
    return count(path, jobs.made) | {"faults": dict(storm.done)}


class Jobs:
    """Submits the jobs, each once. A job that Redis does not take is tried again by its submitter."""

    def __init__(self, url: str, path: str, seconds: float, chance: random.Random) -> None:
        from redis import Redis as Client
        from rq import Queue

        self.queue = Queue("storm", connection=Client.from_url(url, socket_timeout=5))
        self.path, self.seconds, self.total = path, seconds, int(seconds * JOBS_A_SECOND)
        self.chance, self.made = chance, 0

    def __call__(self, elapsed: float) -> None:
        from redis.exceptions import RedisError

        while self.made < self.total and self.made < self.total * elapsed / (self.seconds * 0.97):
            try:
                self._enqueue(self.made)
            except (RedisError, OSError):
                return
            self.made += 1

    def duplicate(self) -> None:
        if self.made:
            self._enqueue(self.chance.randrange(max(0, self.made - 20), self.made))

    def _enqueue(self, number: int) -> None:
        from rq import Retry

        self.queue.enqueue("tests.storm.control.work", self.path, number, retry=Retry(max=3))


def wait_for_quiet(crew: Crew, path: str) -> None:
    """Returns when no result has come for QUIET_SECONDS."""
    known, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        crew.keep()
        if (now := count(path, 0)["results"]) != known:
            known, since = now, time.monotonic()
        time.sleep(0.2)


def count(path: str, jobs: int) -> dict[str, Any]:
    """`lost`: jobs without a result; `double`: jobs with more than one."""
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT job, count(*) FROM result GROUP BY job").fetchall()
    return {
        "runs": jobs,
        "results": sum(n for _, n in rows),
        "lost": max(0, jobs - len(rows)),
        "double": sum(n > 1 for _, n in rows),
    }


if __name__ == "__main__":
    print(json.dumps(main(float(sys.argv[1]), int(sys.argv[2]))))
