"""`manage.py import_answers FILE... --set SLUG --format F`: recorded answers of models to a question set."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from judging import imports
from judging.file_command import (
    FileCommand,
    add_file_arguments,
    add_set_arguments,
    question_set,
    refusal,
    tell,
)


class Command(FileCommand):
    help = "Imports recorded answers (.jsonl or .gz of FastChat, LogicKor, Arena-Hard, or rows)."

    def add_arguments(self, parser: CommandParser) -> None:
        add_file_arguments(parser, many=True)
        add_set_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = {name: options[name] for name in ("model", "mode", "skip_bad")}
        try:
            done = imports.import_answers(options["files"], question_set(options["set"]), options["format"], **chosen)
        except imports.Refused as refused:
            tell(refused.intake, self.stderr)
            raise refusal(refused.intake) from refused
        tell(done.intake, self.stderr)
        self.stdout.write(f"{done.stored} answers of {done.models} models stored, {done.there} were there already")
