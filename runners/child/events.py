"""The child's voice: one JSON object a line on the real standard output, all else on standard error."""

from __future__ import annotations

import os
import sys
import threading
import time

from runners.reports import Event

PROGRESS_SECONDS = 0.5


class EventWriter:
    """Writes events to a file descriptor, whole lines only; progress at most twice a second."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()
        self._progress_at = 0.0

    def __call__(self, event: Event) -> None:
        line = event.to_json().encode() + b"\n"
        with self._lock:
            view = memoryview(line)
            while view:
                view = view[os.write(self._fd, view) :]

    def progress(self, task: str, done: int, total: int) -> None:
        """Items answered over the whole run; dropped when the last one was less than half a second ago."""
        now = time.monotonic()
        if now - self._progress_at >= PROGRESS_SECONDS or done == total:
            self._progress_at = now
            self(Event("progress", task=task, done=done, total=total))


def claim_stdout() -> EventWriter:
    """Keep the real standard output for events; prints of libraries, C code too, go to standard error."""
    sys.stdout.flush()
    fd = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return EventWriter(fd)
