"""manage.py import_harness PATH --revision SLUG --suite SUITE: lm-eval's own output becomes a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runners.importing import ImportRefused, import_harness
from runners.models import ModelRevision, Suite


class Command(BaseCommand):
    help = "Takes lm-eval's output folder, or one of its results files, as a finished run marked as imported."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="folder of --output_path, or a results_*.json")
        parser.add_argument("--revision", required=True, help="slug of what was evaluated")
        parser.add_argument("--suite", required=True, help="slug of the suite whose tasks these are")
        parser.add_argument("--skip-unknown", action="store_true", help="leave out tasks that the suite does not have")

    def handle(self, *args: Any, **options: Any) -> None:
        revision = ModelRevision.objects.filter(slug=options["revision"]).first()
        if revision is None:
            raise CommandError(f"There is no revision {options['revision']}. {_near(options['revision'])}")
        suites = Suite.objects.filter(published_at__isnull=False, retired_at=None)
        suite = suites.filter(slug=options["suite"]).first()
        if suite is None:
            known = ", ".join(suites.values_list("slug", flat=True))
            raise CommandError(f"There is no suite {options['suite']}. There are: {known or 'none yet'}.")
        try:
            done = import_harness(options["path"], revision, suite, skip_unknown=options["skip_unknown"])
        except ImportRefused as error:
            raise CommandError(f"Nothing was imported.\n{error}") from error
        for note in done.notes:
            self.stderr.write(f"note: {note}")
        self.stdout.write(f"run {done.run.pk}: {', '.join(done.tasks)}")


def _near(slug: str) -> str:
    """Revisions that may have been meant: those of the same model, else the first few."""
    revisions = ModelRevision.objects.order_by("slug")
    same = revisions.filter(slug__icontains=slug.split("@")[0])
    names = list((same if same.exists() else revisions).values_list("slug", flat=True)[:10])
    return f"There are: {', '.join(names)}." if names else "Register the model first."
