"""`manage.py reextract RUN`: the stored answers of a run scored anew; nobody is asked and nothing is paid."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from runners import extraction, runs, supervise
from runners.models import EvaluationRun, Suite


class Command(BaseCommand):
    help = "Scores the stored answers of RUN as the newest version of its suite does, in a new run."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=int, metavar="RUN")
        parser.add_argument("--version", type=int, dest="suite_version", help="another version of the suite")
        parser.add_argument("--reason", default="extracted anew", help="why, kept with the run")
        parser.add_argument("--now", action="store_true", help="run it in this process")

    def handle(self, *args: Any, **options: Any) -> None:
        run = EvaluationRun.objects.select_related("suite", "revision__endpoint").filter(pk=options["run"]).first()
        if run is None:
            raise CommandError(f"There is no run {options['run']}.")
        try:
            made = extraction.request(
                run, by="manage.py reextract", reason=options["reason"], suite=self._suite(run, options)
            )
        except extraction.NothingToExtract as nothing:
            raise CommandError(str(nothing)) from nothing
        except runs.AlreadyActive as twin:
            made = twin.run
        self.stdout.write(f"run {made.pk} waits in the lane {made.lane}: the answers of run {made.answers_of}")
        while options["now"] and made.status == EvaluationRun.Status.QUEUED:
            supervise.execute(made.pk, worker="manage.py reextract")
            made.refresh_from_db()
        if made.error_kind:
            raise CommandError(f"{made.status} ({made.error_kind}): {made.error_text}")
        self.stdout.write(f"the difference: {settings.PUBLIC_URL}/ko/runs/{made.pk}/proof/")

    def _suite(self, run: EvaluationRun, options: dict[str, Any]) -> Suite | None:
        version = options["suite_version"]
        if version is None:
            return None
        found = Suite.objects.filter(slug=run.suite.slug, version=version, published_at__isnull=False).first()
        if found is None:
            raise CommandError(f"There is no published version {version} of {run.suite.slug}.")
        return found
