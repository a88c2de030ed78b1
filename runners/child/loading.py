"""A task of the catalogue, ready for the child: lm-eval's task and what our report needs besides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runners.child.errors import ChildError
from runners.reports import Metric, TaskSpec

Row = dict[str, Any]


def _nothing_more(rows: list[Row]) -> dict[str, Metric]:
    return {}


@dataclass(frozen=True)
class LoadedTask:
    """`task` is lm-eval's, `metric` the one on the board, the hashes what its numbers rest on.

    `more(rows)`: metrics from lm-eval's sample rows that fill in what lm-eval itself gives no value or error
    for.
    """

    spec: TaskSpec
    task: Any
    metric: str
    config_sha: str
    dataset_fingerprint: str
    more: Callable[[list[Row]], dict[str, Metric]] = _nothing_more

    @property
    def n_docs(self) -> int:
        n = len(self.task.eval_docs)
        return n if self.spec.limit is None else min(n, self.spec.limit)


def load(spec: TaskSpec) -> LoadedTask:
    """The catalogue's task `spec.name`. Raises DatasetError, ConfigChanged, ChildError("bad_spec")."""
    from runners.child import scoring, tasks

    try:
        task = tasks.load_task(spec)
    except StopIteration as error:
        raise ChildError("bad_spec", f"There is no task called {spec.name!r}.", permanent=True) from error
    return LoadedTask(
        spec=spec,
        task=task,
        metric=str(task.config.metric_list[0]["metric"]),
        config_sha=spec.config_sha,
        dataset_fingerprint=tasks.fingerprint(task),
        more=scoring.summarise,
    )
