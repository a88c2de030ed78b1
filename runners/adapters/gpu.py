"""What nvidia-smi tells of a worker's GPUs, asked without ever waiting: a driver that hangs must not stop a heartbeat.

nvidia-smi comes with every driver, so that nothing has to be installed. Without it, or without an answer, nothing is
known, which is not the same as zero.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from typing import Final, TypedDict

FIELDS: Final = ("index", "name", "utilization.gpu", "memory.used", "memory.total")
MIB: Final = 1024**2
# An answer that takes longer says nothing about the moment it comes in.
PATIENCE_SECONDS: Final = 15.0


class Gpu(TypedDict):
    """One GPU. `utilisation` is a share (0..1), memory in bytes; None where the driver does not tell (MIG)."""

    index: str
    name: str
    utilisation: float | None
    memory_used: int | None
    memory_total: int | None


class GpuMeter:
    """Reads the GPUs that CUDA_VISIBLE_DEVICES leaves to this process; all of the machine without it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        program, visible = shutil.which("nvidia-smi", path=environment.get("PATH")), _visible(environment)
        query = [f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits"]
        self._command = [program, *visible, *query] if program and visible is not None else None
        self._asked: subprocess.Popen[str] | None = None
        self._since = 0.0
        self._known: list[Gpu] | None = None

    def read(self) -> list[Gpu] | None:
        """What the last asking told, and asks again; None where there is no GPU or nvidia-smi does not tell."""
        if self._command is None:
            return None
        if self._asked is None:
            self._ask()
        elif self._asked.poll() is not None:
            self._known = _parsed(self._asked)
            self._ask()
        elif time.monotonic() - self._since > PATIENCE_SECONDS:
            # Never waited for: a process that the driver holds cannot even be killed. It is asked on when it ends.
            self._asked.kill()
            self._known = None
        return self._known

    def _ask(self) -> None:
        assert self._command is not None
        self._since = time.monotonic()
        try:
            self._asked = subprocess.Popen(  # noqa: S603 - a fixed program, arguments as a list
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        except OSError:
            self._asked, self._known = None, None


def _visible(environment: Mapping[str, str]) -> list[str] | None:
    """nvidia-smi's choice of GPUs; None where CUDA_VISIBLE_DEVICES hides all of them."""
    devices = environment.get("CUDA_VISIBLE_DEVICES")
    if devices is None:
        return []
    named = [device.strip() for device in devices.split(",") if device.strip()]
    if not named or named[0] in ("-1", "NoDevFiles"):
        return None
    return [f"--id={','.join(named)}"]


def _parsed(process: subprocess.Popen[str]) -> list[Gpu] | None:
    """A table of at most some kilobytes, which the pipe has held until now; None for an error or anything else."""
    assert process.stdout is not None
    with process.stdout:
        rows = list(csv.reader(process.stdout, skipinitialspace=True))
    if process.returncode or not rows or any(len(row) != len(FIELDS) for row in rows):
        return None
    return [_gpu(*row) for row in rows]


def _gpu(index: str, name: str, utilisation: str, used: str, total: str) -> Gpu:
    share, memory = _number(utilisation), [_number(used), _number(total)]
    used_bytes, total_bytes = (None if value is None else round(value * MIB) for value in memory)
    return Gpu(
        index=index[:20],
        name=name[:100],
        utilisation=None if share is None else share / 100,
        memory_used=used_bytes,
        memory_total=total_bytes,
    )


def _number(text: str) -> float | None:
    """[N/A] and [Not Supported] are no numbers."""
    try:
        return float(text)
    except ValueError:
        return None
