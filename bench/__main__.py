"""`make bench [ONLY=…]`: every benchmark in turn, each a process of its own; figures to docs/benchmarks.md by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HELPERS = {"__init__", "__main__", "bare", "stream_parts"}


def main() -> int:
    folder = Path(__file__).parent
    wanted = os.environ.get("ONLY", "").split()
    names = [path.stem for path in sorted(folder.glob("*.py")) if path.stem not in HELPERS and "peer" not in path.stem]
    print(f"load average {' '.join(f'{load:.1f}' for load in os.getloadavg())} on {os.cpu_count()} cores\n", flush=True)
    failed = []
    for name in [name for name in names if not wanted or name in wanted]:
        print(f"── {name}", flush=True)
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        if subprocess.run(
            [sys.executable, "-m", f"bench.{name}"], cwd=folder.parent, env=environment, check=False
        ).returncode:
            failed.append(name)
        print(flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
