"""Runs the whole site as one command: Redis, web, workers and reconciler, each restarted when it dies.

Children get sessions of their own, so that Ctrl-C reaches this process alone, and then exactly one SIGTERM each:
an RQ worker that receives two at once hangs in its blocking read.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from runners.adapters.process import die_with_parent

PATIENCE = 30.0
MAX_PAUSE = 30.0


@dataclass
class Part:
    """One process of the site: how it starts, what runs of it now, when it may be started again."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    due: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own commands, as lists
            self.command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_follow_launcher,
        )
        self.started = time.monotonic()

    def revive(self, say: Callable[[str], None]) -> None:
        """Starts it again when it has ended, after a pause that grows while it keeps ending early."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            code, self.process = self.process.returncode, None
            self.failures = 0 if now - self.started > 60 else self.failures + 1
            self.due = now + min(MAX_PAUSE, 0.5 * 2**self.failures)
            say(f"{self.name} ended (status {code}); starting it again")
        if self.process is None and now >= self.due:
            self.start()


def _follow_launcher() -> None:
    die_with_parent(signal.SIGTERM)


class Launcher:
    """Keeps parts running until `stop` is set, then ends them in reverse order."""

    def __init__(self, parts: list[Part], say: Callable[[str], None]) -> None:
        self.parts, self.say, self.stop = parts, say, threading.Event()

    def run(self) -> None:
        """Blocks until SIGTERM or Ctrl-C, then stops every part."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop.set())
        try:
            while not self.stop.is_set():
                for part in self.parts:
                    part.revive(self.say)
                self.stop.wait(0.5)
        finally:
            self.end()

    def end(self) -> None:
        """One SIGTERM to each part but the first (Redis), which goes last; SIGKILL to what does not go."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        for group in (self.parts[1:], self.parts[:1]):
            running = [part for part in group if part.process is not None and part.process.poll() is None]
            for part in running:
                _signal(part, signal.SIGTERM)
            limit = time.monotonic() + PATIENCE
            for part in running:
                try:
                    part.process.wait(max(0.1, limit - time.monotonic()))  # type: ignore[union-attr]
                except subprocess.TimeoutExpired:
                    self.say(f"{part.name} did not stop in {PATIENCE:.0f} s and is killed; its run will be repaired")
                    _signal(part, signal.SIGKILL)


def _signal(part: Part, number: int) -> None:
    assert part.process is not None
    try:
        os.kill(part.process.pid, number)
    except ProcessLookupError:
        return


def manage(*words: str) -> list[str]:
    """A command line of this project's own manage.py."""
    from django.conf import settings

    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *words]
