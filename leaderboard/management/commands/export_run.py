"""manage.py export_run RUN --to mlflow|wandb --out DIR: one run as an experiment tracker keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leaderboard import run_export, run_page, trackers


class Command(BaseCommand):
    help = "Writes a run for MLflow or Weights & Biases. Items of private benchmarks stay here."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=int, metavar="RUN", help="the number of a run")
        parser.add_argument("--to", choices=sorted(trackers.WRITERS), required=True)
        parser.add_argument("--out", type=Path, required=True, metavar="DIR")
        parser.add_argument("--samples", action="store_true", help="with the items and answers of public tasks")

    def handle(self, *args: Any, **options: Any) -> None:
        run = run_page.load(options["run"])
        if run is None:
            raise CommandError(f"There is no run {options['run']}; /api/v1/queue and a model's page name runs.")
        export = run_export.read(run, with_samples=options["samples"])
        try:
            folder = trackers.WRITERS[options["to"]](export, options["out"])
        except OSError as error:
            raise CommandError(
                f"{options['out']} can't be written ({error.strerror}): name another folder with --out."
            ) from error
        self.stdout.write(f"{folder}: {len(export.metrics)} metrics, {len(export.params)} parameters")
