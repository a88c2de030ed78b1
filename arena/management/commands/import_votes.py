"""`manage.py import_votes`: pairwise verdicts of people, or of a judge on the same items, from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from arena.votes_import import ALIASES, Refused, import_votes


class Command(BaseCommand):
    help = "Takes CSV, JSON Lines or Parquet, plain or gzip, with model_a, model_b, winner and optional columns."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--source", required=True, help="slug of the source; made when it is new")
        parser.add_argument(
            "--map", nargs="+", action="extend", default=[], metavar="FIELD=COLUMN",
            help=f"how the file calls a field; the fields are {', '.join(ALIASES)}",
        )  # fmt: skip
        parser.add_argument("--judge", default="", metavar="SLUG", help="a judge's verdicts on this source's items")
        parser.add_argument(
            "--answers", type=Path, metavar="FILE",
            help="JSON Lines with question_id, model and turns: the answers, for ratings with style held equal",
        )  # fmt: skip
        parser.add_argument("--skip-bad", action="store_true", help="leave faulty rows out instead of refusing")

    def handle(self, *args: Any, **options: Any) -> None:
        columns = {}
        for pair in options["map"]:
            name, mark, column = pair.partition("=")
            if not mark or not column:
                raise CommandError(f"--map takes FIELD=COLUMN, not “{pair}”.")
            columns[name] = column
        for slug in (options["source"], options["judge"] or "none"):
            if not slug.replace("-", "").replace("_", "").replace(".", "").isalnum() or len(slug) > 70:
                raise CommandError(f"“{slug}” is not a slug of letters, digits, dots and dashes (70 at most).")
        if not options["file"].is_file():
            raise CommandError(f"There is no file {options['file']}.")
        if options["answers"] is not None and not options["answers"].is_file():
            raise CommandError(f"There is no file {options['answers']}.")
        try:
            report = import_votes(
                options["file"], options["source"], columns=columns, judge=options["judge"],
                skip_bad=options["skip_bad"], answers=options["answers"],
            )  # fmt: skip
        except Refused as error:
            raise CommandError(f"{options['file'].name}: {error}") from error
        for fault in report.faults:
            self.stderr.write(f"line {fault.line} skipped: {fault.message}")
        self.stdout.write(
            f"{report.source}: {report.stored:,} votes stored, {report.known:,} known before, "
            f"{report.skipped:,} skipped, {report.new_models:,} new models, "
            f"{report.styled:,} with the style of both answers, {report.seconds:.1f} s"
        )
