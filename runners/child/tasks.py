"""A harness task from the catalogue's spec: the right items, the right shots, and nothing else than was frozen."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from runners.child.datasets import DatasetError, Splits
from runners.child.errors import ChildError
from runners.reports import TaskSpec
from runners.resolving import TASKS, DefinitionError, config_sha


def load_task(spec: TaskSpec, datasets_root: str | None = None) -> Any:
    """The lm-eval task for a spec, its items read; `{spec.name: task}` is a task dict for `lm_eval.evaluate`.

    `spec.dataset.root` wins over `datasets_root`, which wins over GYEORU_DATASETS. `spec.limit` is for evaluate()
    to apply (`limit=spec.limit`): lm-eval has no limit on a task.

    Raises:
        ChildError: config_changed (the resolved YAML, the functions it names or the bundled file differ from
            `spec.config_sha`), bad_spec (no such task, or shots where the
            set has no examples).
        DatasetError: the items can't be read, or are not those that `spec.dataset.revision` pinned (changed_file).
    """
    from lm_eval.tasks import TaskManager

    try:
        found = config_sha(spec.name)
    except DefinitionError as error:
        raise ChildError("bad_spec", str(error), permanent=True) from error
    if found != spec.config_sha:
        raise ChildError(
            "config_changed",
            f"Task {spec.name} resolves to {found[:12]}, the catalogue froze {spec.config_sha[:12]}. "
            "Publish a new version of the suite, or run the version of the project that the run was asked with.",
            permanent=True,
        )
    source = {
        "source": spec.dataset.source,
        "root": spec.dataset.root or datasets_root,
        "revision": spec.dataset.revision,
        "shots": spec.num_fewshot,
    }
    logging.getLogger("lm_eval.api.task").setLevel(logging.ERROR)
    manager = TaskManager(include_path=[folder_of(spec.name)], include_defaults=False, metadata=source)
    task = manager.load(spec.name)["tasks"][spec.name]
    if spec.num_fewshot and task.config.fewshot_split is None:
        message = f"Task {spec.name} has no examples to show: set its shots to 0."
        raise ChildError("bad_spec", message, permanent=True)
    task.set_config("num_fewshot", spec.num_fewshot)
    _check_pin(spec, task.dataset)
    return task


def folder_of(name: str) -> Path:
    """The folder of a task's YAML, so that lm-eval need not index all of them."""
    return next(TASKS.glob(f"*/{name}.yaml")).parent


def fingerprint(task: Any) -> str:
    """What the items were read from: sha256 over the local files, or `id@commit` on the Hub."""
    splits: Splits = task.dataset
    return splits.fingerprint


def _check_pin(spec: TaskSpec, splits: Splits) -> None:
    pinned = spec.dataset.revision
    if spec.dataset.source != "hub" and pinned and splits.fingerprint != pinned:
        raise DatasetError(
            "changed_file",
            f"The files of {spec.dataset.name} are not those that {spec.name} was pinned to "
            f"({splits.fingerprint[:12]}, not {pinned[:12]}). Restore the release's files, or publish a new version.",
            path=spec.dataset.root,
        )
