"""Stored answers scored anew: a run that asks nobody, but reads what an earlier run of its model was answered.

It is an ordinary run of the ordinary child, on a lane that needs no GPU; `settings["answers_of"]` names the run whose
samples files take the model's place. The child refuses an item that is asked otherwise than it was.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from runners import resolving, runs, specify
from runners.catalog import Changes
from runners.models import Artifact, EvaluationRun, Suite, Task
from runners.reports import ModelSpec, RunSpec

FOLDER = "stored"
# What the process that scores says of itself, and where the answers came from; all else is the earlier run's.
OWN = ("engine", "versions", "python", "platform", "cpus", "gpus", "base_url")


class NothingToExtract(Exception):
    """The run has no answers that could be scored as the suite does now; the message says why and what to do."""


def request(run: EvaluationRun, *, by: str, reason: str, suite: Suite | None = None) -> EvaluationRun:
    """A new run that scores the answers of `run` as `suite` does (the newest version where none is given).

    Raises NothingToExtract and runs.AlreadyActive.
    """
    source = run
    if run.answers_of:
        source = EvaluationRun.objects.select_related("suite", "revision__endpoint").get(pk=run.answers_of)
    target = suite or Suite.objects.filter(slug=run.suite.slug, published_at__isnull=False).latest("version")
    if problem := why_not(source, target):
        raise NothingToExtract(problem)
    settings = {**run.settings, "answers_of": source.pk}
    return runs.request(run.revision, target, run_settings=settings, requested_by=by, reason=reason, rerun_of=run)


def why_not(source: EvaluationRun, suite: Suite) -> str:
    """Why the answers of `source` cannot be scored as `suite` does; empty where they can. Two queries."""
    if problem := _no_suite_for_it(source, suite):
        return problem
    tasks = [task for task in suite.tasks.all() if specify.can_run(source.revision, task)]
    files = list(_files(source))
    if problem := unlike([file.result.task for file in files if file.result is not None], tasks):
        return problem
    if not default_storage.exists(files[0].path):
        return _("Its stored answers are gone. Repeat it instead.")
    return ""


def unlike(before: Iterable[Task], now: Iterable[Task]) -> str:
    """Why answers to the tasks `before` are none to the tasks `now`; empty where they are. `before` and `now` are
    paired by name; no query."""
    stored, wanted = {task.name: task for task in before}, list(now)
    if all(task.mode == Task.Mode.LIKELIHOOD for task in wanted):
        return _("It is scored by likelihood: there are no replies to extract an answer from. Repeat it instead.")
    if missing := [task.name for task in wanted if task.name not in stored]:
        told = ", ".join(missing[:5])
        return _("No answers are stored for %(tasks)s. Repeat it instead.") % {"tasks": told}
    if other := [task.name for task in wanted if not asks_the_same(stored[task.name], task)]:
        told = ", ".join(other[:5])
        text = _("The questions are put otherwise now, or it is not known how they were: %(tasks)s. Repeat it instead.")
        return text % {"tasks": told}
    return ""


def asks_the_same(one: Task, other: Task) -> bool:
    """Whether the two ask the same items in the same words with the same settings, however they score the answers."""
    if one.num_fewshot != other.num_fewshot:
        return False
    return one.config_sha == other.config_sha or (one.asked_sha != "" and one.asked_sha == other.asked_sha)


def asking(run: EvaluationRun) -> dict[str, Any]:
    """The run's settings for a run that asks the model itself."""
    return {name: value for name, value in run.settings.items() if name != "answers_of"}


def run_spec(run: EvaluationRun, attempt: int) -> RunSpec:
    """The child's specification, with the stored answers laid out in the run's folder. Raises CannotRun."""
    source = EvaluationRun.objects.filter(pk=run.answers_of or 0).first()
    if source is None:
        raise specify.CannotRun("no_answers", f"Run {run.answers_of} with the answers is gone.")
    folder = _lay_out(run, source)
    recorded = {name: value for name, value in source.environment.items() if name not in OWN}
    model = ModelSpec(
        backend="stored",
        name=run.revision.slug,
        path=str(folder),
        commit_sha=run.revision.commit_sha or None,
        args={"recorded": recorded, "run": source.pk},
    )
    return specify.run_spec(run, attempt, model)


def note_questions() -> Changes:
    """Writes down, while the code that asks is still here, what decides the answers of each task."""
    for task in Task.objects.filter(asked_sha=""):
        try:
            if resolving.config_sha(task.name) != task.config_sha:
                continue
        except resolving.DefinitionError:
            continue
        Task.objects.filter(pk=task.pk).update(asked_sha=resolving.asked_sha(task.name))
    return Changes([], [])


def _no_suite_for_it(source: EvaluationRun, suite: Suite) -> str:
    if suite.kind == Suite.Kind.MULTI_TURN:
        return _("Its answers are rated by judges and nothing is extracted from them. Judge it again instead.")
    if suite.slug != source.suite.slug:
        return _("Choose another version of the same suite.")
    if source.status != EvaluationRun.Status.FINISHED:
        status = source.get_status_display()
        return _("Only a finished run has all its answers; this one is %(status)s.") % {"status": status}
    return ""


def _files(source: EvaluationRun) -> QuerySet[Artifact]:
    """The samples files of a run, each with its result's task; what was measured stays in the database."""
    found = source.artifacts.filter(kind="samples", result__isnull=False).select_related("result__task")
    return found.defer("result__item_scores", "result__metrics").order_by("pk")


def _lay_out(run: EvaluationRun, source: EvaluationRun) -> Path:
    """Copies the samples files of the open tasks into the run's folder, one `<task>.jsonl` each, and checks them."""
    folder = Path(run.workdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    files = {file.result.task.name: file for file in _files(source) if file.result is not None}
    for task in specify.open_tasks(run):
        file = files.get(task.name)
        if file is None or not default_storage.exists(file.path):
            raise specify.CannotRun(
                "no_answers", f"The stored answers of run {source.pk} to {task.name} are gone. Repeat the run instead."
            )
        target = folder / f"{task.name}.jsonl"
        with default_storage.open(file.path, "rb") as stored, target.open("wb") as copy:
            shutil.copyfileobj(stored, copy, 1 << 20)
        with target.open("rb") as copy:
            found = hashlib.file_digest(copy, "sha256").hexdigest()
        if found != file.sha256:
            raise specify.CannotRun(
                "no_answers",
                f"The stored answers of run {source.pk} to {task.name} are damaged: their sha256 is {found[:12]}, "
                f"{file.sha256[:12]} was written down. Restore the file from a backup, or repeat the run instead.",
            )
    return folder
