"""`manage.py restore FILE`: a backup into an empty home or database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import backup


class Command(BaseCommand):
    help = "Reads FILE to its end first, then restores it into an empty database; a damaged file changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--check", action="store_true", help="only say whether the file is whole")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            manifest = backup.check(options["file"])
            if not options["check"]:
                call_command("migrate", verbosity=0, interactive=False)
                backup.restore(options["file"])
        except backup.BackupError as error:
            raise CommandError(str(error)) from error
        done = "is whole" if options["check"] else "was restored"
        self.stdout.write(f"the backup of {manifest['at']} (version {manifest['version']}) {done}")
