"""What an evaluation is going to ask and cost, told before it is sent, from what earlier runs really took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from runners import specify
from runners.models import ModelRevision, Price, Suite, Task, TaskResult


@dataclass(frozen=True)
class Estimate:
    """For all chosen suites together; None is "not known yet", never zero.

    questions: items over all tasks that the backend can run. Tokens and seconds are scaled from earlier runs of the
    same tasks on the same lane (reference players left out); `n_runs` of them stand behind the numbers.
    """

    questions: int | None
    n_tasks: int
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float | None = None
    krw: int | None = None
    n_runs: int = 0

    @property
    def minutes(self) -> float | None:
        return None if self.seconds is None else self.seconds / 60


def estimate(revision: ModelRevision, suites: Sequence[Suite]) -> Estimate:
    """The expected size, time and cost. Two queries and one per suite; a third for the price of a served model."""
    tasks = {task.pk: task for suite in suites for task in suite.tasks.all() if specify.can_run(revision, task)}
    questions = _total([task.n_docs for task in tasks.values()])
    if questions is None or not tasks:
        return Estimate(questions if tasks else 0, len(tasks))
    earlier = TaskResult.objects.filter(task__in=tasks, run__lane=revision.lane, run__is_imported=False).exclude(
        Q(run__revision__backend=ModelRevision.Backend.REFERENCE) | Q(run__settings__has_key="answers_of")
    )
    n_runs = earlier.aggregate(n=Count("run", distinct=True))["n"]
    has_tokens = Q(prompt_tokens__isnull=False, completion_tokens__isnull=False)
    sums = earlier.values("task").annotate(
        tokens_docs=Sum("n_docs", filter=has_tokens),
        prompt=Sum("prompt_tokens", filter=has_tokens),
        completion=Sum("completion_tokens", filter=has_tokens),
        timed_docs=Sum("n_docs", filter=Q(seconds__isnull=False)),
        time=Sum(F("seconds")),
    )
    rows = {row["task"]: row for row in sums}
    prompt = _scaled(tasks, rows, "prompt", "tokens_docs")
    completion = _scaled(tasks, rows, "completion", "tokens_docs")
    return Estimate(
        questions=questions,
        n_tasks=len(tasks),
        prompt_tokens=None if prompt is None else round(prompt),
        completion_tokens=None if completion is None else round(completion),
        seconds=_scaled(tasks, rows, "time", "timed_docs"),
        krw=_krw(revision, prompt, completion),
        n_runs=n_runs,
    )


def _scaled(tasks: dict[int, Task], rows: Mapping[int, Any], what: str, docs: str) -> float | None:
    """Per item what it was before, times this task's items; None where a task was never measured."""
    total = 0.0
    for pk, task in tasks.items():
        row = rows.get(pk, {})
        value, n = row.get(what), row.get(docs)
        if value is None or not n or task.n_docs is None:
            return None
        total += value / n * task.n_docs
    return total


def _krw(revision: ModelRevision, prompt: float | None, completion: float | None) -> int | None:
    """Won for so many tokens at the served model's newest price; None where tokens or price are not known."""
    if not revision.endpoint_id or prompt is None or completion is None:
        return None
    prices = Price.objects.filter(served_name=revision.api_name, valid_from__lte=timezone.localdate())
    price = prices.order_by("-valid_from").first()
    if price is None:
        return None
    usd = (prompt * float(price.input_usd) + completion * float(price.output_usd)) / 1e6
    return round(usd * float(price.krw_per_usd))


def _total(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None
