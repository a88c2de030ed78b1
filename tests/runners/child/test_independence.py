from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_child_runs_without_django_and_without_torch() -> None:
    code = (
        "import sys\n"
        "import runners.child.__main__, runners.child.evaluate, runners.child.loading, runners.child.tasks\n"
        "import runners.child.players, runners.child.api, runners.child.hf, runners.child.vllm\n"
        "print([name for name in ('django', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
