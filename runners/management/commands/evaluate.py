"""`manage.py evaluate REVISION SUITE`: asks for a run, or does it here and now with a progress bar."""

from __future__ import annotations

import argparse
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runners import naming, runs, supervise
from runners.adapters.hub import HubError
from runners.catalog import CatalogueError
from runners.models import EvaluationRun
from runners.specify import can_run

BAR = 24
SETTINGS = ("limit", "shots", "seed", "batch_size", "max_concurrency", "max_length", "apply_chat_template",
            "system_instruction")  # fmt: skip


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


class Command(BaseCommand):
    help = (
        "Runs a suite on a revision. REVISION is a slug such as reference/constant, a served model's slug, "
        "owner/name[@revision] on the Hub, or the folder of a transformers model."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("revision", metavar="REVISION")
        parser.add_argument("suite", metavar="SUITE")
        parser.add_argument("--now", action="store_true", help="run it in this process and wait for the end")
        parser.add_argument("--limit", type=_positive, help="items per task at most: a trial, not for the board")
        parser.add_argument("--shots", type=int, choices=range(0, 65), metavar="N",
                            help="examples in each prompt instead of the suite's own; not for the board")  # fmt: skip
        parser.add_argument("--seed", type=int)
        parser.add_argument("--batch-size", type=_positive)
        parser.add_argument("--max-concurrency", type=_positive, help="requests to an API at once")
        parser.add_argument("--max-length", type=_positive, help="tokens of prompt and answer together")
        parser.add_argument("--apply-chat-template", action=argparse.BooleanOptionalAction, default=None)
        parser.add_argument("--system-instruction")
        parser.add_argument("--backend", choices=["hf", "vllm"], default="hf", help="what runs weights")
        parser.add_argument("--dtype", choices=["", "bfloat16", "float16", "float32"], default="")
        parser.add_argument("--reason", default="", help="why, kept with the run")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            suite = naming.find_suite(options["suite"])
            load = naming.Load(options["backend"], options["dtype"])
            revision = naming.find_revision(options["revision"], load)
        except (CatalogueError, HubError) as error:
            raise CommandError(str(error)) from error
        tasks = list(suite.tasks.all())  # none in a multi-turn suite: its questions go to any model that talks
        if tasks and not any(can_run(revision, task) for task in tasks):
            raise CommandError(f"{suite.slug} is scored by likelihood only, which {revision} can't give over its API.")
        run_settings = {name: options[name] for name in SETTINGS if options[name] is not None}
        try:
            run = runs.request(
                revision, suite, run_settings=run_settings, requested_by="manage.py evaluate", reason=options["reason"]
            )
        except runs.AlreadyActive as twin:
            run = self._twin(twin.run, now=options["now"])
        if options["now"]:
            self._execute(run)
        else:
            self.stdout.write(f"run {run.pk} waits in the lane {run.lane}: {revision} on {suite}")

    def _twin(self, run: EvaluationRun, *, now: bool) -> EvaluationRun:
        if now and run.status != EvaluationRun.Status.QUEUED:
            raise CommandError(f"Run {run.pk} does the same and is {run.status}; wait for it or cancel it first.")
        self.stdout.write(f"run {run.pk} does the same and is {run.status}; no second one is made")
        return run

    def _execute(self, run: EvaluationRun) -> None:
        """Attempts in this process until the run ends; a queue worker may take it in between."""
        while run.status == EvaluationRun.Status.QUEUED:
            if run.attempt:
                self.stderr.write(f"attempt {run.attempt} failed ({run.error_kind}): {run.error_text}; trying again")
                time.sleep(max((run.not_before.timestamp() if run.not_before else 0) - time.time(), 0.1))
            supervise.execute(run.pk, worker="manage.py evaluate", on_beat=self._bar)
            run.refresh_from_db()
        if (phase := supervise.PHASES.get(run.status)) and phase(run.pk):
            run.refresh_from_db()
        if run.is_active:
            raise CommandError(f"A queue worker took run {run.pk} first; it goes on there.")
        if self.stderr.isatty():
            self.stderr.write("")
        if run.status != EvaluationRun.Status.FINISHED:
            raise CommandError(
                f"Run {run.pk} {run.status} ({run.error_kind}): {run.error_text}\n{run.log_tail[-2000:]}"
            )
        self._report(run)

    def _bar(self, attempt: supervise.Attempt) -> None:
        if not self.stderr.isatty():
            return
        total = attempt.total or 0
        full = BAR * attempt.done // total if total else 0
        bar = "█" * full + "░" * (BAR - full)
        self.stderr.write(f"\r{bar} {attempt.done}/{total or '?'} {attempt.stage:40.40}", ending="")
        self.stderr.flush()

    def _report(self, run: EvaluationRun) -> None:
        """One line per task: value, standard error, items scored of asked, without an answer, failed."""
        self.stdout.write(f"run {run.pk} finished: {run.revision} on {run.suite}")
        for result in run.results.select_related("task").order_by("task__suite_tasks__order").distinct():
            value = "–" if result.value is None else f"{result.value:.4f}"
            error = "" if result.stderr is None else f" ± {result.stderr:.4f}"
            self.stdout.write(
                f"  {result.task.name:36} {result.task.metric:14} {value}{error}  n={result.n_scored}/{result.n_docs}"
                f"  no answer {result.n_no_answer}, failed {result.n_failed}"
            )
