"""What a run was made with: versions, machine, GPU. Facts only, cheap, and nothing secret."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = (
    "lm_eval",
    "datasets",
    "openai",
    "torch",
    "transformers",
    "tokenizers",
    "accelerate",
    "vllm",
    "numpy",
)


def versions() -> dict[str, str]:
    """Installed versions of the packages that can move a score."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def gpus() -> list[str]:
    """Names of the GPUs that this process sees; only where torch is already loaded."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def describe() -> dict[str, Any]:
    """The facts about this process and machine that every run records."""
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "gpus": gpus(),
    }
