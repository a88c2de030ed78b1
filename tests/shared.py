"""Where tests find the public evaluation data that lies beside a checkout, when it does."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared_data(name: str) -> Path:
    """The file or folder `name` of the shared evaluation data; skips the test where it is absent."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"shared evaluation data is not beside this checkout: {name}")
    return path
