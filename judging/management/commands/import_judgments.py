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
        parser.add_argument(
            "--judge",
            metavar="SLUG",
            help="under which name the judge is shown; without it, every judge of LLMBar's rows",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = {name: options[name] for name in ("model", "mode", "skip_bad")}
        files, form, found = options["files"], options["format"], question_set(options["set"])
        if options["judge"] is None and form != "llmbar":
            raise CommandError("These rows do not name their judge as the site does: give --judge SLUG.")
        slugs = [options["judge"]] if options["judge"] else imports.judges_in(files, form)
        for first, slug in enumerate(slugs):
            try:
                done = imports.import_judgments(files, found, slug, form, **chosen)
            except imports.Refused as refused:
                tell(refused.intake, self.stderr)
                raise refusal(refused.intake) from refused
            except judges.JudgeError as error:
                raise CommandError(str(error)) from error
            if first == 0:
                tell(done.intake, self.stderr)
            for line in done.unread:
                self.stderr.write(f"not read: {line}")
            if done.n_unread:
                self.stderr.write(f"in all {done.n_unread} verdicts not read: stored without a score, and counted")
            stored = f"{done.stored} judgments of {done.models} models by {done.judge} stored"
            self.stdout.write(f"{stored}, {done.there} were there already")
