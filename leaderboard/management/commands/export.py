"""manage.py export KIND --format csv|jsonl|parquet: one long table, to a file or to standard output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leaderboard import export_kinds, exports, rating_exports
from leaderboard.boards import published_suites

MODULES = (export_kinds, rating_exports)


class Command(BaseCommand):
    help = "Writes boards, samples and the like as one long table. Private sets and withdrawn runs stay here."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=sorted(exports.KINDS))
        parser.add_argument("--format", choices=exports.FORMATS, default="jsonl")
        parser.add_argument("--output", type=Path, help="a file; without it, standard output (csv and jsonl)")
        parser.add_argument("--suite", help="slug of one suite alone")

    def handle(self, *args: Any, **options: Any) -> None:
        kind, file_format = exports.KINDS[options["kind"]], options["format"]
        suite, output = options["suite"], options["output"]
        if suite is not None and suite not in (known := [suite.slug for suite in published_suites()]):
            raise CommandError(f"There is no suite {suite}. There are: {', '.join(known) or 'none yet'}.")
        if output is None:
            if file_format == "parquet":
                raise CommandError("Parquet is no text: name a file with --output.")
            for line in exports.LINES[file_format](kind, kind.rows(suite)):
                self.stdout.write(line, ending="")
            return
        try:
            n_rows = exports.write(kind, file_format, output, suite=suite)
        except OSError as error:
            raise CommandError(
                f"{output} can't be written ({error.strerror or 'it is no file'}): name another file."
            ) from error
        self.stderr.write(f"{n_rows} rows in {output}")
