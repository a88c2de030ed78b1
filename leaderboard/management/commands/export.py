"""manage.py export KIND --format csv|jsonl|parquet: one long table, to a file or to standard output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from arena.models import VoteSource
from leaderboard import battle_exports, export_kinds, exports, rating_exports
from leaderboard.boards import published_suites

MODULES = (export_kinds, rating_exports, battle_exports)


class Command(BaseCommand):
    help = "Writes boards, samples, votes, battles and the like as one long table. Nothing private or deleted leaves."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=sorted(exports.KINDS))
        parser.add_argument("--format", choices=exports.FORMATS, default="jsonl")
        parser.add_argument("--output", type=Path, help="a file; without it, standard output (csv and jsonl)")
        parser.add_argument("--suite", help="slug of one suite alone (boards, samples)")
        parser.add_argument("--source", help="slug of one source of votes alone (votes, ratings, battles, preferences)")

    def handle(self, *args: Any, **options: Any) -> None:
        kind, file_format = exports.KINDS[options["kind"]], options["format"]
        only, output = self._only(kind, options), options["output"]
        if output is None:
            if file_format == "parquet":
                raise CommandError("Parquet is no text: name a file with --output.")
            for line in exports.LINES[file_format](kind, kind.rows(only)):
                self.stdout.write(line, ending="")
            return
        try:
            n_rows = exports.write(kind, file_format, output, only=only)
        except OSError as error:
            raise CommandError(
                f"{output} can't be written ({error.strerror or 'it is no file'}): name another file."
            ) from error
        self.stderr.write(f"{n_rows} rows in {output}")

    def _only(self, kind: exports.Kind, options: dict[str, Any]) -> str | None:
        """The one suite or source asked for, which has to be there and of use for this table."""
        other = {"suite": "source", "source": "suite"}[kind.by]
        if options[other] is not None:
            raise CommandError(f"{kind.name} are not told apart by --{other}; use --{kind.by}.")
        only: str | None = options[kind.by]
        if only is None:
            return None
        known = (
            [suite.slug for suite in published_suites()]
            if kind.by == "suite"
            else list(VoteSource.objects.order_by("slug").values_list("slug", flat=True))
        )
        if only not in known:
            raise CommandError(f"There is no {kind.by} {only}. There are: {', '.join(known) or 'none yet'}.")
        return only
