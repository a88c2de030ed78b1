"""`python -m runners.child`: a RunSpec a line on standard input, Events on standard output, until the input
ends.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import traceback
from types import FrameType
from typing import TYPE_CHECKING

from runners.adapters.process import die_with_parent
from runners.child.errors import Cancelled, ChildError, disk_full, is_disk_full
from runners.child.events import EventWriter, claim_stdout
from runners.child.storing import flush_all
from runners.reports import Event, RunSpec

if TYPE_CHECKING:
    from runners.child.evaluate import Load

STOP_SECONDS = 0.8
STOPPED = 143


def stop_on_sigterm() -> None:
    """SIGTERM raises Cancelled where the main thread is; when that is stuck in C code, the process ends
    anyhow.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Cancelled

    def watch() -> None:
        while signal.SIGTERM not in os.read(reader, 64):
            continue
        time.sleep(STOP_SECONDS)
        flush_all()
        os._exit(STOPPED)

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.signal(signal.SIGTERM, stop)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=watch, daemon=True).start()


def main(load_task: Load | None = None) -> int:
    """The exit code: 0 finished, 1 failed (after a "failed" event), 143 stopped on request.

    `load_task` replaces the project's own tasks, for trials.
    """
    os.environ.setdefault("TQDM_DISABLE", "1")
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("lm_eval.api.task").setLevel(logging.ERROR)
    emit = claim_stdout()
    try:
        die_with_parent(signal.SIGTERM)
        stop_on_sigterm()
        return serve(emit, load_task)
    except Cancelled:
        return STOPPED


def serve(emit: EventWriter, load_task: Load | None = None) -> int:
    """Runs every spec that comes."""
    child = None
    try:
        from runners.child import loading
        from runners.child.evaluate import Child

        child = Child(emit, load_task or loading.load)
        for line in sys.stdin.buffer:
            child.run(_spec(line))
            emit(Event("finished"))
    except Exception as error:  # noqa: BLE001 - the last place that can tell the supervisor
        traceback.print_exc()
        emit(failure(error))
        return 1
    finally:
        if child is not None:
            child.close()
    return 0


def _spec(line: bytes) -> RunSpec:
    try:
        return RunSpec.from_json(line)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        message = f"The run's specification cannot be read: {error}. Child and supervisor must be of one version."
        raise ChildError("bad_spec", message, permanent=True) from error


def failure(error: Exception) -> Event:
    """Any error as the event that the supervisor records; typed errors bring their own kind and message."""
    if is_disk_full(error):
        error = disk_full("the run's files")
    kind = getattr(error, "kind", "internal")
    message = str(error) if hasattr(error, "kind") else f"{type(error).__name__}: {error}"
    return Event("failed", error_kind=kind, permanent=bool(getattr(error, "permanent", False)), message=message)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Not sys.exit: threads of an engine must not keep an ended run alive.
    os._exit(code)
