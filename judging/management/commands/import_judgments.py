"""`manage.py import_judgments FILE... --set SLUG --judge SLUG --format F`: recorded judgments, single or pairwise."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from judging import imports, judges
from judging.file_command import (
    FileCommand,
    add_file_arguments,
    add_set_arguments,
    question_set,
    refusal,
    tell,
)


class Command(FileCommand):
    help = "Imports recorded judgments; what their program counted is kept beside our strict reading."

    def add_arguments(self, parser: CommandParser) -> None:
        add_file_arguments(parser, many=True)
        add_set_arguments(parser)
        parser.add_argument("--judge", required=True, metavar="SLUG", help="under which name the judge is shown")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = {name: options[name] for name in ("model", "mode", "skip_bad")}
        found = question_set(options["set"])
        try:
            done = imports.import_judgments(options["files"], found, options["judge"], options["format"], **chosen)
        except imports.Refused as refused:
            tell(refused.intake, self.stderr)
            raise refusal(refused.intake) from refused
        except judges.JudgeError as error:
            raise CommandError(str(error)) from error
        tell(done.intake, self.stderr)
        self.stdout.write(
            f"{done.stored} judgments of {done.models} models by {done.judge} stored, {done.there} were there already"
        )
