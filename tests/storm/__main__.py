"""`python -m tests.storm [sqlite] [postgres] [control]` (`make storm`): the storm's table, and whether it was held.

STORM_SECONDS (60) is how long each rages, STORM_SEED (1) what chooses the faults.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.lanes import ROOT, Missing, nothing, postgres, redis_program
from tests.storm.faults import A_MINUTE, as_table

STORMS = ("sqlite", "postgres", "control")
# Seconds: short enough to see a lease run out many times a minute.
QUICK = {
    "GYEORU_LEASE_SECONDS": "3",
    "GYEORU_BEAT_SECONDS": "0.4",
    "GYEORU_HINT_SECONDS": "2",
    "GYEORU_RECONCILE_SECONDS": "0.3",
    "GYEORU_RETRY_SECONDS": "0.3",
}
MOST_WASTED, MOST_SECONDS = 0.15, 5.0


def storm(name: str, seconds: float, seed: int = 1, **environment: str) -> dict[str, Any]:
    """One storm in a data directory of its own; its outcome. Raises RuntimeError with the log when it breaks."""
    # Not pytest's folder: the path of a Unix socket ends at 107 bytes.
    home = Path(tempfile.mkdtemp(prefix="storm-"))
    try:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GYEORU_", "PYTEST_"))}
        kept = {k: v for k, v in kept.items() if k not in ("DATABASE_URL", "REDIS_URL")}
        own = {"GYEORU_HOME": str(home), "GYEORU_HF_PYTHON": str(_interpreter(home)), "GYEORU_MIN_FREE_BYTES": "1"}
        done = subprocess.run(
            [sys.executable, "-m", f"tests.storm.{'control' if name == 'control' else 'pattern'}", str(seconds),
             str(seed)],
            cwd=ROOT, env={**kept, **QUICK, **own, **environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            logs = "".join(path.read_text(errors="replace")[-3000:] for path in home.glob("*.log"))
            raise RuntimeError(f"the storm on {name} broke: {done.stderr[-3000:]}\n{logs}")
        if keep := os.environ.get("STORM_KEEP"):
            shutil.copytree(home, Path(keep) / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("redis"))
        outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return outcome
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _interpreter(home: Path) -> Path:
    """The stub child in the clothes of a Python interpreter."""
    path = home / "python"
    stub = ROOT / "tests" / "storm" / "stub_child.py"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{stub}"\n')
    path.chmod(0o755)
    return path


def held(outcome: dict[str, Any]) -> list[str]:
    """What the product promised and did not hold; nothing when it held."""
    after = outcome["seconds_after_last_fault"]
    broken = [f"{name} {outcome[name]}" for name in ("lost", "double") if outcome[name]]
    if outcome["wasted"] > MOST_WASTED:
        broken.append(f"{outcome['wasted']:.1%} of the attempts were wasted")
    if after is None or after > MOST_SECONDS:
        broken.append(f"all ended {after} s after the last fault")
    return broken


def report(name: str, outcome: dict[str, Any]) -> str:
    faults = outcome["faults"]
    rows: list[tuple[str, Any]] = [(kind, faults.get(kind, 0)) for kind in A_MINUTE]
    rows += [(key.replace("_", " "), _figure(value)) for key, value in outcome.items() if key != "faults"]
    return f"── {name}: {sum(faults.values())} faults\n{as_table(rows)}"


def _figure(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main(names: list[str]) -> int:
    seconds, seed = float(os.environ.get("STORM_SECONDS", "60")), int(os.environ.get("STORM_SEED", "1"))
    failed = []
    for name in names or STORMS:
        try:
            redis_program()
            with (postgres if name == "postgres" else nothing)() as (needs, _):
                outcome = storm(name, seconds, seed, **needs)
        except Missing as missing:
            print(f"── {name}: skipped, {missing}", flush=True)
            continue
        print(report(name, outcome), flush=True)
        if name == "control":
            broken = [] if outcome["lost"] or outcome["double"] else ["the control survived: this storm proves nothing"]
            print(f"  → lost {outcome['lost']}, doubled {outcome['double']}, as plain RQ must\n", flush=True)
        else:
            broken = held(outcome)
            print(f"  → {'; '.join(broken) or 'held'}\n", flush=True)
        failed += broken
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
