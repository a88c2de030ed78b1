"""Everything a rerun needs: what a run was made with, and the commands that make it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from runners.models import EvaluationRun, ModelRevision, Suite, Task, TaskResult

SEED = 1234
NAMES: dict[str, str | Promise] = {
    "engine": _("Engine"),
    "host": _("Machine"),
    "python": "Python",
    "platform": _("Platform"),
    "cpus": _("Processor cores"),
    "gpus": "GPU",
    "served_name": _("Served name"),
    "device": _("Device"),
    "dtype": "dtype",
    "parameters": _("Parameters"),
    "seed": _("Seed"),
    "batch_size": _("Batch size"),
    "max_length": _("Longest input"),
    "max_concurrency": _("Requests at once"),
    "chat_template_sha": _("Chat template (sha256)"),
    "commit_sha": _("Model commit"),
    "system_instruction": _("System instruction"),
    "limit": _("Items per task at most"),
    "shots": _("Examples in each prompt"),
    "apply_chat_template": _("Chat template applied"),
    "answers_of": _("Answers of run"),
}


@dataclass(frozen=True)
class Fact:
    """One line of a run's record; `value` None: not set or not recorded."""

    name: str | Promise
    value: str | None
    is_code: bool = False


def model_facts(revision: ModelRevision) -> list[Fact]:
    """What was measured, down to the commit and the precision."""
    endpoint = revision.endpoint
    facts = [Fact(_("Revision"), revision.slug, True), Fact(_("Backend"), revision.get_backend_display())]
    if revision.hub_id:
        facts += [Fact(_("Hub repository"), revision.hub_id, True), Fact(_("Model commit"), revision.commit_sha, True)]
        facts += [Fact("dtype", revision.dtype or None), Fact(_("Quantisation"), revision.quantization or None)]
    if endpoint is not None:
        facts += [Fact(_("Endpoint"), endpoint.slug, True), Fact(_("Served name"), endpoint.served_name, True)]
    if revision.chat_template_sha:
        facts.append(Fact(_("Chat template (sha256)"), revision.chat_template_sha, True))
    return facts


def suite_facts(run: EvaluationRun) -> list[Fact]:
    return [
        Fact(_("Suite"), f"{run.suite.slug} v{run.suite.version}", True),
        Fact(_("Suite definition (sha256)"), run.suite.definition_sha or None, True),
        Fact(_("Run fingerprint (sha256)"), run.fingerprint, True),
    ]


def setting_facts(run: EvaluationRun) -> list[Fact]:
    """The run's settings and what its process wrote down about itself, flat; settings first."""
    merged: dict[str, Any] = {**run.environment, **run.settings}
    versions = merged.pop("versions", None)
    # Where an endpoint lives is the operator's business; its slug and served name say what was measured.
    merged.pop("base_url", None)
    facts = [Fact(NAMES.get(name, name), _text(value)) for name, value in sorted(merged.items(), key=_order)]
    if isinstance(versions, Mapping):
        facts += [Fact(package, str(version)) for package, version in sorted(versions.items())]
    return facts


def evaluate_command(run: EvaluationRun) -> str:
    """The site's own command for the same run; what is not the default of a run is named.

    A model of the Hub is named by its commit, so that the command works on any machine.
    """
    if run.answers_of:
        return f"manage.py reextract {run.answers_of} --now"
    revision, name = run.revision, run.revision.slug
    load: list[str] = []
    if revision.hub_id:
        name = f"{revision.hub_id}@{revision.commit_sha}"
        load += ["--backend", revision.backend] if revision.backend != ModelRevision.Backend.HF else []
        load += ["--dtype", revision.dtype] if revision.dtype else []
    return shlex.join(["manage.py", "evaluate", name, run.suite.slug, *load, *_options(run.settings), "--now"])


def harness_command(run: EvaluationRun, tasks: Iterable[Task]) -> str | None:
    """The plain lm-eval command for a model that anybody can download; None for every other, and for conversations."""
    revision, told = run.revision, {**run.environment, **run.settings}
    if not revision.hub_id or run.answers_of or run.suite.kind == Suite.Kind.MULTI_TURN:
        return None
    arguments = {"pretrained": revision.hub_id, "revision": revision.commit_sha, "dtype": revision.dtype or "auto"}
    if told.get("max_length"):
        arguments["max_length"] = str(told["max_length"])
    words = ["lm-eval", "run", "--model", "vllm" if revision.backend == "vllm" else "hf"]
    words += ["--model_args", ",".join(f"{name}={value}" for name, value in arguments.items())]
    words += ["--include_path", "runners/tasks", "--tasks", ",".join(task.name for task in tasks)]
    words += ["--seed", str(told.get("seed", SEED)), "--batch_size", str(told.get("batch_size") or "auto")]
    if told.get("apply_chat_template", bool(revision.has_chat_template)):
        words.append("--apply_chat_template")
    if told.get("system_instruction"):
        words += ["--system_instruction", str(told["system_instruction"])]
    if told.get("shots") is not None:
        words += ["--num_fewshot", str(told["shots"])]
    if told.get("limit"):
        words += ["--limit", str(told["limit"])]
    # The tasks' own functions live in this project, so its folder has to be importable.
    return f"PYTHONPATH=. {shlex.join([*words, '--log_samples', '--output_path', 'out'])}"


def task_facts(results: Iterable[TaskResult]) -> Iterator[dict[str, Any]]:
    """Per published task the hashes its value rests on."""
    for result in results:
        task = result.task
        yield {
            "name": task.name,
            "config_sha": task.config_sha,
            "num_fewshot": task.num_fewshot,
            "dataset": f"{task.dataset_name} ({task.dataset_source})",
            "dataset_revision": task.dataset_revision or None,
            "dataset_fingerprint": result.dataset_fingerprint or None,
            "task_hash": result.task_hash or None,
        }


def _options(settings: Mapping[str, Any]) -> list[str]:
    words = []
    for name, value in sorted(settings.items()):
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words += [flag] if value else [f"--no-{flag[2:]}"]
        elif value is not None:
            words += [flag, str(value)]
    return words


def _order(item: tuple[str, Any]) -> tuple[int, str]:
    names = list(NAMES)
    return (names.index(item[0]) if item[0] in NAMES else len(names), item[0])


def _text(value: Any) -> str | None:
    if value is None or value == []:
        return None
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
