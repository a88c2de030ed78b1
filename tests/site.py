"""A whole site of its own for a test: its processes, its data directory, its database read from outside."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lanes import ROOT, free_port

# Seconds, short enough for a test to watch a lease run out.
QUICK = {
    "GYEORU_LEASE_SECONDS": "4",
    "GYEORU_BEAT_SECONDS": "0.5",
    "GYEORU_HINT_SECONDS": "2",
    "GYEORU_RECONCILE_SECONDS": "0.5",
}


class Site:
    """`manage.py` commands as processes in one environment; ends those it started, by pid."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.port = free_port()
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GYEORU_", "DJANGO_", "PYTEST_"))}
        for name in ("DATABASE_URL", "REDIS_URL", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
            kept.pop(name, None)
        self.environment = {**kept, **QUICK, "GYEORU_HOME": str(home), "PORT": str(self.port), **environment}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.log = home / "site.log"

    def manage(self, *words: str, timeout: float = 120) -> str:
        """Runs a command to its end and returns what it printed; fails with its error output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Starts a command that stays, in a session of its own."""
        self.home.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def sql(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the site's SQLite database, as an outsider sees them."""
        database = sqlite3.connect(f"file:{self.home / 'gyeoru.sqlite3'}?mode=ro", uri=True, timeout=20)
        try:
            return database.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            database.close()

    def wait_for(self, what: str, condition: Callable[[], Any], seconds: float) -> Any:
        """The first true value of `condition`; fails with the end of the log after `seconds`."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if value := condition():
                return value
            time.sleep(0.1)
        tail = self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""
        raise AssertionError(f"not within {seconds:.0f} s: {what}\n{tail}")

    def stop(self) -> None:
        """SIGTERM, then SIGKILL, to what this site started."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def children_of(pid: int) -> list[int]:
    """The processes that `pid` started and that still run (Linux)."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except (OSError, ValueError):
            continue
        if lines.get("PPid", "").strip() == str(pid) and lines.get("State", "")[:1] != "Z":
            found.append(int(status.parent.name))
    return found


def alive(pid: int) -> bool:
    """Whether a process still runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
