"""Writes requirements/*.txt with hashes and without addresses, from pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FILES = {"run": ["--extra", "postgres"], "local": ["--extra", "local", "--extra", "postgres"],
         "dev": ["--extra", "postgres", "--extra", "dev"]}  # fmt: skip


def main() -> None:
    for name, extras in FILES.items():
        constraint = ["-c", "requirements/run.txt"] if name != "run" else []
        subprocess.run(
            [
                str(Path(sys.executable).parent / "uv"), "pip", "compile", "pyproject.toml", *extras, *constraint,
                "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-header",
                "--no-annotate", "--no-strip-extras", "--quiet", "-o", f"requirements/{name}.txt",
            ],
            check=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
