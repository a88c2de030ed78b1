"""What the commands that read files have in common: arguments, and how faults are told."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper

from judging.formats import Format, Intake
from judging.models import QuestionSet

SHOWN = 30


def add_file_arguments(parser: CommandParser, *, many: bool) -> None:
    parser.add_argument("files", nargs="+" if many else 1, type=Path, metavar="FILE", help=".jsonl or .jsonl.gz")
    parser.add_argument(
        "--format", required=True, choices=[form for form in get_args(Format) if many or form != "rows"]
    )
    parser.add_argument("--skip-bad", action="store_true", help="leave faulty rows out instead of refusing the files")


def add_set_arguments(parser: CommandParser) -> None:
    parser.add_argument("--set", required=True, metavar="SLUG", help="a question set that is loaded")
    parser.add_argument("--model", help="whose answers these are, where the rows do not say")
    parser.add_argument("--mode", default="default", help="prompting mode, where the rows do not say")


def question_set(slug: str) -> QuestionSet:
    """The current version of a set. Raises CommandError naming those there are."""
    found = QuestionSet.objects.current(slug)
    if found is None:
        known = ", ".join(sorted(set(QuestionSet.objects.values_list("slug", flat=True)))) or "none"
        raise CommandError(
            f"There is no question set {slug} (there are: {known}). Load it with `manage.py load_question_set FILE "
            f"--slug {slug} --format …`."
        )
    return found


def tell(intake: Intake, out: OutputWrapper) -> None:
    """Prints the faults with file and line, errors first, and how many there are of each kind."""
    ordered = sorted(intake.problems, key=lambda problem: problem.severity == "warning")
    for problem in ordered[:SHOWN]:
        out.write(f"{problem.severity}: {problem}")
    if intake.counts:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(intake.counts.items()))
        out.write(f"in all: {kinds}")


def refusal(intake: Intake) -> CommandError:
    return CommandError(
        f"{intake.errors} faulty row(s), named above; nothing was stored. "
        "Repair them, or leave them out with --skip-bad."
    )


class FileCommand(BaseCommand):
    """A command whose missing files are an error message and not a stack trace."""

    def execute(self, *args: object, **options: object) -> str | None:
        try:
            return super().execute(*args, **options)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
