"""`manage.py parity RUN`: the same job elsewhere or otherwise, and the difference item by item."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from leaderboard import parity, proof
from runners import machines, naming, runs, supervise
from runners.adapters.hub import HubError
from runners.catalog import CatalogueError
from runners.models import EvaluationRun, ModelRevision


class Command(BaseCommand):
    help = (
        "Asks for RUN's job once more on another revision or machine or with another setting, or compares RUN with "
        "the run --against. The page of the difference is printed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=int, metavar="RUN")
        parser.add_argument("--against", type=int, metavar="RUN", help="compare with this run; ask for nothing")
        parser.add_argument("--revision", help="slug of the revision to ask, such as the same model on another backend")
        parser.add_argument("--backend", choices=["hf", "vllm"], help="the same model of the Hub on this backend")
        parser.add_argument("--batch-size", type=int)
        parser.add_argument("--max-concurrency", type=int, help="requests to an API at once")
        parser.add_argument("--host", default="", help="the machine whose worker is to run it")
        parser.add_argument("--reason", default="parity check", help="why, kept with the run")
        parser.add_argument("--now", action="store_true", help="run it in this process and show the difference")

    def handle(self, *args: Any, **options: Any) -> None:
        run = self._find(options["run"])
        if options["against"] is not None:
            self._show(self._find(options["against"]), run)
            return
        changes = {name: options[name] for name in ("batch_size", "max_concurrency") if options[name] is not None}
        if options["now"] and options["host"] not in ("", machines.here()):
            raise CommandError(f"--now runs it on this machine ({machines.here()}); leave out --now or --host.")
        try:
            made = parity.request(
                run, by="manage.py parity", reason=options["reason"], revision=self._revision(run, options),
                changes=changes, host=options["host"],
            )  # fmt: skip
        except parity.NothingToCompare as nothing:
            raise CommandError(
                f"{nothing} (--revision, --backend, --batch-size, --max-concurrency or --host)"
            ) from nothing
        except runs.AlreadyActive as twin:
            made = twin.run
        self.stdout.write(f"run {made.pk} waits in the lane {made.lane}: {made.revision} on {made.suite}")
        while options["now"] and made.status == EvaluationRun.Status.QUEUED:
            supervise.execute(made.pk, worker="manage.py parity")
            made.refresh_from_db()
        if made.is_active or not options["now"]:
            self.stdout.write(f"the difference: {settings.PUBLIC_URL}/ko/runs/{made.pk}/proof/?against={run.pk}")
        else:
            self._show(made, run)

    def _revision(self, run: EvaluationRun, options: dict[str, Any]) -> ModelRevision | None:
        try:
            if options["revision"]:
                return naming.find_revision(options["revision"], naming.Load("hf", ""))
            if options["backend"]:
                if not run.revision.hub_id:
                    raise CommandError(f"{run.revision} is no model of the Hub: name another --revision.")
                name = f"{run.revision.hub_id}@{run.revision.commit_sha}"
                return naming.find_revision(name, naming.Load(options["backend"], run.revision.dtype))
        except (CatalogueError, HubError) as error:
            raise CommandError(str(error)) from error
        return None

    def _find(self, pk: int) -> EvaluationRun:
        run = EvaluationRun.objects.select_related("suite", "revision__endpoint").filter(pk=pk).first()
        if run is None:
            raise CommandError(f"There is no run {pk}.")
        return run

    def _show(self, run: EvaluationRun, other: EvaluationRun) -> None:
        if run.suite.slug != other.suite.slug:
            raise CommandError(f"Run {run.pk} is of {run.suite}, run {other.pk} of {other.suite}: nothing is shared.")
        found = proof.prove(run, other)
        self.stdout.write(f"{found.verdict}: {found.n_flips} of {found.n_shared} items flipped, {found.n_lost} lost")
        for task in found.tasks:
            if task.difference is None or task.difference.difference is None:
                self.stdout.write(f"  {task.task.name:36} items can't be paired")
                continue
            part = task.difference
            span = "" if part.low is None or part.high is None else f" [{part.low:+.4f}, {part.high:+.4f}]"
            told = f"{part.difference:+.4f}{span} n={part.n_shared} +{part.n_first_better} -{part.n_second_better}"
            self.stdout.write(f"  {task.task.name:36} {told}")
        for change in found.changes:
            self.stdout.write(f"  {change.name}: {change.other} -> {change.run}")
        self.stdout.write(f"{settings.PUBLIC_URL}/ko/runs/{run.pk}/proof/?against={other.pk}")
