"""`manage.py backup FILE`: the whole site in one file, while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config import backup


class Command(BaseCommand):
    help = "Writes every row and every artifact of this moment to FILE (gzipped tar, readable by its owner alone)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = options["file"]
        manifest = backup.write(target)
        files = sum(name.startswith("artifacts/") for name in manifest["members"])
        self.stdout.write(f"{target}: {target.stat().st_size / 1024**2:.1f} MB, {files} artifacts")
