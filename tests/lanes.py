"""`python -m tests.lanes [lane …]`: the lanes of `make test`, each with what it needs started here and stopped after.

What later lanes need is installed while earlier ones run.

A lane whose needs can't be met is skipped with the reason printed; with CI set, that is a failure.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APT = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]


class Missing(Exception):
    """What a lane needs can't be had here; the message says what, and how to get it."""


@dataclass(frozen=True)
class Lane:
    """One pytest run: its arguments, what it must find installed (raises Missing), and a context that yields the
    environment and interpreter it needs."""

    name: str
    what: str
    arguments: list[str]
    installed: Callable[[], object]
    needs: Callable[[], contextlib.AbstractContextManager[tuple[dict[str, str], str]]]


def install(*packages: str) -> None:
    """Debian packages, where this machine can install them. Raises Missing."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise Missing(f"install {' '.join(packages)} (needs apt-get and root)")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], [*APT, *packages]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}")


@contextlib.contextmanager
def nothing() -> Iterator[tuple[dict[str, str], str]]:
    yield {}, sys.executable


@contextlib.contextmanager
def postgres() -> Iterator[tuple[dict[str, str], str]]:
    """A PostgreSQL cluster of its own in a temporary folder, on a free port of the loopback."""
    programs = _postgres_programs()
    unprivileged = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="gyeoru-pg-") as folder:
        data, port = Path(folder) / "data", free_port()
        if unprivileged:
            shutil.chown(folder, "nobody")
        run = [*unprivileged, str(programs / "initdb"), "-D", str(data), "-U", "gyeoru", "-A", "trust", "-E", "UTF8"]
        subprocess.run(run, check=True, capture_output=True, cwd=folder)
        settings = f"-p {port} -k {folder} -h 127.0.0.1 -c fsync=off -c max_connections=200"
        control = [*unprivileged, str(programs / "pg_ctl"), "-D", str(data), "-w"]
        log = str(Path(folder) / "log")
        subprocess.run(
            [*control, "-o", settings, "-l", log, "start"], check=True, stdout=subprocess.DEVNULL, cwd=folder
        )
        try:
            yield {"DATABASE_URL": f"postgres://gyeoru@127.0.0.1:{port}/postgres"}, sys.executable
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=False, stdout=subprocess.DEVNULL, cwd=folder)


def _postgres_programs() -> Path:
    """The folder of PostgreSQL's own programs, installed where it was missing. Raises Missing."""
    for _ in range(2):
        versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if found := versions[-1] if versions else shutil.which("initdb"):
            return Path(found).parent
        install("postgresql")
    raise Missing("PostgreSQL's initdb was not found after its installation")


def redis_program() -> None:
    from config import redis_server

    try:
        redis_server.binary()
    except redis_server.NoRedis:
        install("redis-server")


def _chromium_program() -> None:
    """Debian's Chromium and a font with Hangul."""
    redis_program()
    if not shutil.which("chromium"):
        install("chromium", "fonts-noto-cjk")


@contextlib.contextmanager
def chromium() -> Iterator[tuple[dict[str, str], str]]:
    yield {"DJANGO_ALLOW_ASYNC_UNSAFE": "true"}, sys.executable


TORCH = ROOT / ".venv-hf"


def _torch_environment() -> None:
    """An environment of its own on top of .venv, so that everything else is seen to run without torch."""
    if (TORCH / ".ready").exists():
        return
    shutil.rmtree(TORCH, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(TORCH)], check=True)
    site = next((TORCH / "lib").glob("python*/site-packages"))
    (site / "base.pth").write_text(next(path for path in sys.path if path.endswith("site-packages")) + "\n")
    command = [str(TORCH / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "torch==2.13.0", "transformers>=5,<6", "accelerate>=1.15", "jinja2>=3.1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Missing(f"torch could not be installed: {done.stderr.strip()[-300:]}")
    (TORCH / ".ready").touch()


@contextlib.contextmanager
def torch() -> Iterator[tuple[dict[str, str], str]]:
    python = str(TORCH / "bin" / "python")
    yield {"GYEORU_HF_PYTHON": python}, python


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Waits up to ten seconds until somebody listens on a port of the loopback."""
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)


LANES = {
    lane.name: lane
    for lane in (
        Lane("sqlite", "everything fast, on SQLite",
             ["-n", "2", "-m", "not workers and not browser and not torch"], lambda: None, nothing),
        Lane("postgres", "concurrency and SQL, on PostgreSQL", ["-m", "postgres"], _postgres_programs, postgres),
        Lane("workers", "a real Redis, real queue workers, kill -9", ["-m", "workers"], redis_program, nothing),
        Lane("browser", "headless Chromium", ["-m", "browser"], _chromium_program, chromium),
        Lane("torch", "transformers models built on the spot", ["-m", "torch"], _torch_environment, torch),
    )
}  # fmt: skip


def run(lane: Lane, installed: Future[object]) -> str:
    """Runs a lane once what it needs is installed; "passed", "failed" or "skipped: reason"."""
    print(f"\n── {lane.name}: {lane.what}", flush=True)
    try:
        installed.result()
        with lane.needs() as (environment, python), tempfile.TemporaryDirectory(prefix="gyeoru-test-") as home:
            command = [python, "-m", "pytest", *lane.arguments, "--durations=5"]
            done = subprocess.run(
                command, cwd=ROOT, check=False, env={**os.environ, "GYEORU_HOME": home, **environment}
            )
    except Missing as missing:
        print(f"   skipped: {missing}", flush=True)
        return f"skipped: {missing}"
    return "passed" if done.returncode == 0 else "failed"


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in LANES]
    if unknown:
        print(f"There is no lane {', '.join(unknown)}; there are {', '.join(LANES)}.")
        return 2
    outcomes = {}
    lanes = [LANES[name] for name in names or LANES]
    # One at a time: apt takes no second caller.
    with ThreadPoolExecutor(1) as installer:
        installing = [installer.submit(lane.installed) for lane in lanes]
        for lane, installed in zip(lanes, installing, strict=True):
            started = time.monotonic()
            outcome = run(lane, installed)
            outcomes[lane.name] = (outcome, time.monotonic() - started)
    print("\nlane       seconds  outcome")
    for name, (outcome, seconds) in outcomes.items():
        print(f"{name:10} {seconds:7.0f}  {outcome}")
    bad = [o for o, _ in outcomes.values() if o == "failed" or (o != "passed" and os.environ.get("CI"))]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
