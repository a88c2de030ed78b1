"""`manage.py load_question_set FILE --slug SLUG --format F`: multi-turn questions become a board of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from judging import question_sets
from judging.file_command import FileCommand, add_file_arguments, refusal, tell
from judging.formats import Intake


class Command(FileCommand):
    help = "Loads questions of FastChat, LogicKor or Arena-Hard, with their references and published protocol."

    def add_arguments(self, parser: CommandParser) -> None:
        add_file_arguments(parser, many=False)
        parser.add_argument("--slug", required=True)
        parser.add_argument("--references", type=Path, metavar="FILE", help="FastChat's reference answers")
        parser.add_argument("--protocol", choices=sorted(question_sets.KNOWN), help="where the slug does not name it")

    def handle(self, *args: Any, **options: Any) -> None:
        slug, form, intake = options["slug"], options["format"], Intake()
        protocol = question_sets.KNOWN[options["protocol"] or _protocol(slug, form)]
        questions = question_sets.read(options["files"][0], form, intake, options["references"])
        tell(intake, self.stderr)
        if intake.errors and not options["skip_bad"]:
            raise refusal(intake)
        if not questions:
            raise CommandError("There is no question that can be used; nothing was stored.")
        strange = sorted({one.category for one in questions} - set(protocol.categories))
        if strange:
            self.stderr.write(f"warning: categories that {protocol.title} does not have: {', '.join(strange)}")
        found, is_new = question_sets.publish(slug, form, questions, protocol)
        told = "loaded" if is_new else "there already, unchanged"
        referenced = sum(any(one.references) for one in questions)
        self.stdout.write(
            f"{slug} v{found.suite.version}: {len(questions)} questions, {referenced} with references, "
            f"asked and graded as {protocol.title}: {told}"
        )


def _protocol(slug: str, form: Any) -> str:
    return slug if slug in question_sets.KNOWN else question_sets.OF_FORMAT[form]
