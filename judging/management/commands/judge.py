"""`manage.py judge RUN…`: lets runs be judged again, by new judges or where a budget ended it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runners import judging_phase
from runners.models import EvaluationRun


class Command(BaseCommand):
    help = "Puts answered runs in line for their judges again. Judgments that are there are kept and not paid twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("runs", nargs="+", type=int, metavar="RUN")
        parser.add_argument("--now", action="store_true", help="judge in this process instead of the judge lane")

    def handle(self, *args: Any, **options: Any) -> None:
        for number in options["runs"]:
            run = EvaluationRun.objects.filter(pk=number).first()
            if run is None:
                raise CommandError(f"There is no run {number}.")
            if run.status != "judging" and not judging_phase.judge_again(run):
                raise CommandError(
                    f"Run {number} is {run.status}: only runs that were answered to their end are judged."
                )
            if options["now"]:
                self._now(run)
            run.refresh_from_db()
            self.stdout.write(f"run {number}: {run.status} {run.error_text}".rstrip())

    def _now(self, run: EvaluationRun) -> None:
        from judging import jobs  # loads the chat door's SDK

        jobs.execute(run.pk)
