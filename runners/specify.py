"""From rows to the child's specification: which tasks are still open, where their items come from, what is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db.models import Count, Q

from runners.adapters import hub
from runners.child.datasets import local_folder
from runners.models import EvaluationRun, ModelRevision, Task
from runners.reports import DatasetSpec, ModelSpec, RunSpec, TaskSpec


@dataclass
class CannotRun(Exception):
    """The run cannot start; kind for machines, words for people, and whether waiting can help."""

    kind: str
    message: str
    permanent: bool = True


def open_tasks(run: EvaluationRun) -> list[Task]:
    """The tasks of the run's suite without a result yet, in the suite's order, that the backend can run."""
    tasks = run.suite.tasks.exclude(results__run=run).order_by("suite_tasks__order").distinct()
    return [task for task in tasks if can_run(run.revision, task)]


def can_run(revision: ModelRevision, task: Task) -> bool:
    """Likelihood needs a backend that gives log-probabilities of a given text; chat APIs do not."""
    if task.mode == Task.Mode.GENERATE or revision.backend != ModelRevision.Backend.API:
        return True
    return revision.endpoint is not None and revision.endpoint.supports_likelihood


def run_spec(run: EvaluationRun, attempt: int, model: ModelSpec | None = None) -> RunSpec:
    """Everything the child needs for this attempt; `model` answers in the place of the run's revision where given.

    Raises CannotRun or, for an unreachable Hub, CannotRun too.
    """
    counts = run.suite.tasks.aggregate(all=Count("pk"), done=Count("pk", filter=Q(results__run=run)))
    tasks = open_tasks(run)
    if not tasks and not counts["done"]:
        raise CannotRun(
            "unsupported_suite",
            f"{run.suite.title} is scored by likelihood only, and {run.revision} answers over a chat API, which gives "
            "no log-probabilities. Choose a suite of generation tasks.",
        )
    options = run.settings
    return RunSpec(
        run_id=run.pk,
        attempt=attempt,
        workdir=run.workdir,
        model=model or model_spec(run.revision),
        tasks=[task_spec(task, options.get("limit"), options.get("shots")) for task in tasks],
        seed=options.get("seed", 1234),
        batch_size=options.get("batch_size"),
        max_concurrency=options.get("max_concurrency", 32),
        max_length=options.get("max_length"),
        apply_chat_template=options.get("apply_chat_template", bool(run.revision.has_chat_template)),
        system_instruction=options.get("system_instruction"),
    )


def conversation_spec(run: EvaluationRun, attempt: int) -> RunSpec:
    """What the child needs to let this run's model be talked to; loaded as `run_spec` would. Raises CannotRun."""
    revision, options = run.revision, run.settings
    if revision.has_chat_template is False:
        raise CannotRun(
            "no_chat_template",
            f"{revision} has no chat template, so that it is not known how a conversation is put to it. Choose suites "
            "of single questions for a base model; an instruction-tuned model should carry chat_template in its "
            "tokenizer.",
        )
    return RunSpec(
        run_id=run.pk,
        attempt=attempt,
        workdir=run.workdir,
        model=model_spec(revision),
        tasks=[],
        seed=options.get("seed", 1234),
        batch_size=options.get("batch_size"),
        max_concurrency=options.get("max_concurrency", 32),
        max_length=options.get("max_length"),
        apply_chat_template=options.get("apply_chat_template", bool(revision.has_chat_template)),
        system_instruction=options.get("system_instruction"),
        conversation=True,
    )


def model_spec(revision: ModelRevision) -> ModelSpec:
    """What to load: a player, an endpoint, or the downloaded folder of a Hub model at its commit."""
    endpoint = revision.endpoint
    if endpoint is not None:
        return ModelSpec(
            backend="api",
            name=revision.slug,
            base_url=endpoint.base_url,
            served_name=endpoint.served_name,
            key_env=endpoint.key_env or None,
            args={"loglikelihood": endpoint.supports_likelihood},
        )
    if revision.backend == ModelRevision.Backend.REFERENCE:
        return ModelSpec(backend="reference", name=revision.slug)
    return ModelSpec(
        backend="vllm" if revision.backend == ModelRevision.Backend.VLLM else "hf",
        name=revision.slug,
        path=str(_folder(revision)),
        commit_sha=revision.commit_sha,
        dtype=revision.dtype or None,
        quantization=revision.quantization or None,
    )


def task_spec(task: Task, limit: int | None, shots: int | None = None) -> TaskSpec:
    """One task with the place its items come from: bundled, a local release, or the Hub at the pinned commit."""
    return TaskSpec(
        name=task.name,
        mode="generate" if task.mode == Task.Mode.GENERATE else "likelihood",
        config_sha=task.config_sha,
        dataset=dataset_spec(task),
        num_fewshot=task.num_fewshot if shots is None else shots,
        limit=limit,
    )


def dataset_spec(task: Task) -> DatasetSpec:
    """Bundled stays bundled; else a local public release where there is one; else the Hub, pinned on first use."""
    if task.dataset_source == "bundled":
        return DatasetSpec("bundled", task.dataset_name)
    root = settings.DATASETS_ROOT
    if root and local_folder(task.dataset_name, Path(root)) is not None:
        return DatasetSpec("local", task.dataset_name, root=root)
    return DatasetSpec("hub", task.dataset_name, revision=pinned(task))


def pinned(task: Task) -> str:
    """The data set's commit; the first run that needs it resolves it, every later one reads what was pinned."""
    if task.dataset_revision:
        return task.dataset_revision
    if task.benchmark.is_private:
        raise CannotRun(
            "no_dataset",
            f"The private set {task.dataset_name} has no files here. Put them below GYEORU_DATASETS "
            "(docs/datasets.md).",
        )
    from runners.definitions import hub_id_of

    try:
        sha = hub.dataset_sha(hub_id_of(task.dataset_name))
    except hub.HubError as error:
        raise CannotRun("no_dataset", error.message, error.permanent) from error
    Task.objects.filter(dataset_name=task.dataset_name, dataset_revision="").update(dataset_revision=sha)
    return Task.objects.values_list("dataset_revision", flat=True).get(pk=task.pk)


def _folder(revision: ModelRevision) -> Path:
    try:
        return hub.download(revision.hub_id, revision.commit_sha)
    except hub.HubError as error:
        kind = error.kind if error.kind == "no_disk" else f"model_{error.kind}"
        raise CannotRun(kind, error.message, error.permanent) from error
