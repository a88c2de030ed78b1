"""A fake nvidia-smi on PATH: what it tells is read, what it does not tell stays unknown."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from runners.adapters import gpu, worker
from runners.adapters.gpu import MIB, Gpu, GpuMeter
from runners.models import Worker
from tests.factories import make_worker

H100 = "0, NVIDIA H100 80GB HBM3, 87, 63500, 81559"


def smi(folder: Path, script: str) -> dict[str, str]:
    """An environment whose nvidia-smi is this shell script; it notes its arguments in `asked`."""
    program = folder / "nvidia-smi"
    program.write_text(f'#!/bin/sh\necho "$*" >> "{folder}/asked"\n{script}\n')
    program.chmod(0o755)
    return {"PATH": f"{folder}:/bin:/usr/bin"}


def telling(*lines: str) -> str:
    return "\n".join(f"echo '{line}'" for line in lines)


def answer(meter: GpuMeter) -> list[Gpu] | None:
    """The reading after the first asking has been answered."""
    assert meter.read() is None
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if (found := meter.read()) is not None:
            return found
        time.sleep(0.01)
    return None


def test_name_utilisation_and_memory_of_every_gpu_are_read(tmp_path: Path) -> None:
    environment = smi(tmp_path, telling(H100, "1, NVIDIA H100 80GB HBM3, 0, 0, 81559"))
    first, second = answer(GpuMeter(environment)) or []
    assert first == Gpu(
        index="0", name="NVIDIA H100 80GB HBM3", utilisation=0.87, memory_used=63500 * MIB, memory_total=81559 * MIB
    )
    assert (second["utilisation"], second["memory_used"]) == (0.0, 0)


def test_what_the_driver_does_not_tell_is_unknown_and_not_zero(tmp_path: Path) -> None:
    environment = smi(tmp_path, telling("0, NVIDIA A100, [N/A], [Not Supported], 40960"))
    (found,) = answer(GpuMeter(environment)) or []
    assert (found["utilisation"], found["memory_used"], found["memory_total"]) == (None, None, 40960 * MIB)


def test_only_the_gpus_that_are_left_to_the_worker_are_asked_for(tmp_path: Path) -> None:
    environment = {**smi(tmp_path, telling(H100)), "CUDA_VISIBLE_DEVICES": "2, 3"}
    assert answer(GpuMeter(environment))
    assert (tmp_path / "asked").read_text().startswith("--id=2,3 --query-gpu=index,name,")


@pytest.mark.parametrize("hidden", ["", "-1", "NoDevFiles"])
def test_hidden_gpus_are_not_asked_for(tmp_path: Path, hidden: str) -> None:
    meter = GpuMeter({**smi(tmp_path, telling(H100)), "CUDA_VISIBLE_DEVICES": hidden})
    assert [meter.read(), meter.read()] == [None, None]
    assert not (tmp_path / "asked").exists()


def test_without_the_program_nothing_is_known(tmp_path: Path) -> None:
    assert GpuMeter({"PATH": str(tmp_path)}).read() is None


@pytest.mark.parametrize("script", ["exit 9", telling("No devices were found"), f"{telling(H100)}\nexit 15", ":"])
def test_an_error_is_no_reading(tmp_path: Path, script: str) -> None:
    meter = GpuMeter(smi(tmp_path, script))
    meter.read()
    assert meter._asked is not None
    meter._asked.wait(5)
    assert meter.read() is None


def test_a_program_that_hangs_holds_nobody_up_and_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = GpuMeter(smi(tmp_path, "exec sleep 60"))
    began = time.monotonic()
    assert [meter.read(), meter.read()] == [None, None]
    assert time.monotonic() - began < 1
    monkeypatch.setattr(gpu, "PATIENCE_SECONDS", 0.0)
    hanging = meter._asked
    assert meter.read() is None
    assert hanging is not None and hanging.wait(5) == -9


def test_a_reading_that_was_followed_by_silence_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = f'if [ -e "{tmp_path}/told" ]; then exec sleep 60; fi\ntouch "{tmp_path}/told"\n{telling(H100)}'
    meter = GpuMeter(smi(tmp_path, once))
    assert answer(meter)
    monkeypatch.setattr(gpu, "PATIENCE_SECONDS", 0.0)
    assert meter.read() is None
    assert meter._asked is not None
    meter._asked.wait(5)


@pytest.mark.django_db(transaction=True)
def test_the_reading_comes_with_the_heartbeat_and_goes_with_the_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", smi(tmp_path, telling(H100))["PATH"] + ":" + os.environ["PATH"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(worker, "REPORT_SECONDS", 0.0)
    make_worker("gpu-h-1", lane="gpu")
    fleet = worker.FleetWorker.__new__(worker.FleetWorker)
    fleet.fleet_name, fleet.meter = "gpu-h-1", GpuMeter()
    fleet.report()
    assert Worker.objects.get().gpus is None
    assert fleet.meter._asked is not None
    fleet.meter._asked.wait(5)
    fleet.report()
    assert [found["utilisation"] for found in Worker.objects.get().gpus or []] == [0.87]
    smi(tmp_path, "exit 9")
    fleet.meter._asked.wait(5)
    for _ in range(2):
        fleet.report()
        fleet.meter._asked.wait(5)
    fleet.report()
    assert Worker.objects.filter(gpus__isnull=True).exists()
