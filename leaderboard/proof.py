"""A run held against another of the same suite, item by item: what flipped, by how much, and what was set otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from django.utils.translation import gettext_lazy as _
from numpy.typing import NDArray

from leaderboard import reproduction
from leaderboard.aggregate import PairedDifference, paired_difference
from leaderboard.inference import normal_quantile, two_sided_p
from leaderboard.ranking import item_scores
from leaderboard.sample_pages import Outcome, outcome, rows
from runners.models import EvaluationRun, Sample, SuiteTask, Task, TaskResult

Verdict = Literal["identical", "within", "different", "unknown", "pending"]
# A task alone says "different" below ALPHA divided by the number of tasks (Bonferroni).
ALPHA = 0.05
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class TaskProof:
    """One task of both runs; the difference is the run less the other, in shares.

    `why_not` says why items cannot be paired (then `difference` is None and there are no flips). `lost`: items that
    one side alone has a score for. `flips`: places of the items whose scores differ, in item order.
    """

    task: Task
    in_headline: bool
    run: TaskResult
    other: TaskResult
    difference: PairedDifference | None
    flips: list[int]
    lost: int
    why_not: str = ""
    is_private: bool = False

    @property
    def is_same(self) -> bool:
        return self.difference is not None and not self.flips and not self.lost


@dataclass(frozen=True)
class Change:
    """A setting or a fact of the machine that the two runs do not share; None: not set or not recorded."""

    name: object
    other: str | None
    run: str | None


@dataclass(frozen=True)
class Flip:
    """One item that came out otherwise."""

    task: Task
    doc_id: int
    question: str
    other: Sample
    run: Sample
    other_outcome: Outcome
    run_outcome: Outcome


@dataclass(frozen=True)
class Proof:
    """Two runs of one suite. `difference`, `low` and `high` belong to the mean over the tasks of the average that both
    have; None where one of them cannot be paired.
    """

    run: EvaluationRun
    other: EvaluationRun
    verdict: Verdict
    tasks: list[TaskProof]
    missing: list[Task]
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    changes: list[Change]

    @property
    def n_flips(self) -> int:
        return sum(len(task.flips) for task in self.tasks)

    @property
    def n_shared(self) -> int:
        return sum(task.difference.n_shared for task in self.tasks if task.difference is not None)

    @property
    def n_lost(self) -> int:
        return sum(task.lost for task in self.tasks)

    @property
    def is_rerun(self) -> bool:
        """Whether the very same job was asked again, and not another revision or setting."""
        same = (self.run.revision_id, self.run.suite_id) == (self.other.revision_id, self.other.suite_id)
        return same and self.run.settings == self.other.settings and not self.run.only_host


def prove(run: EvaluationRun, other: EvaluationRun) -> Proof:
    """The run held against the other. Five queries, and one per 500 results whose items are not in memory."""
    mine, theirs = _results(run), _results(other)
    places = list(SuiteTask.objects.filter(suite=run.suite_id).select_related("task__benchmark").order_by("order"))
    headline = {place.task.name: place.in_headline for place in places}
    both = [name for name in headline if name in mine and name in theirs]
    scores = item_scores([found[name].pk for name in both for found in (mine, theirs)])
    tasks = [_task(mine[name], theirs[name], scores, in_headline=headline[name]) for name in both]
    missing = [p.task for p in places if (p.task.name in mine) != (p.task.name in theirs)]
    difference, low, high, p = _mean([task for task in tasks if task.in_headline] or tasks)
    verdict = _verdict(run, other, tasks, p)
    return Proof(run, other, verdict, tasks, missing, difference, low, high, p, changes(run, other, tasks))


def flips(proof: Proof, start: int, stop: int) -> list[Flip]:
    """The flipped items from `start` to before `stop`, task by task; none of a private set. Per task three queries."""
    found: list[Flip] = []
    at = 0
    for task in proof.tasks:
        if task.is_private:
            continue
        chosen = task.flips[max(start - at, 0) : max(stop - at, 0)]
        at += len(task.flips)
        if chosen:
            found += _flips(task, chosen)
    return found


def n_shown(proof: Proof) -> int:
    """How many flips can be shown: all but those of private sets."""
    return sum(len(task.flips) for task in proof.tasks if not task.is_private)


def changes(run: EvaluationRun, other: EvaluationRun, tasks: Sequence[TaskProof]) -> list[Change]:
    """What was recorded of both runs and is not the same: model, suite, settings, machine, questions."""
    found = [change for change in _facts(other, run) if change.other != change.run]
    for task in tasks:
        before, now = task.other, task.run
        if before.task.config_sha != now.task.config_sha:
            found.append(Change(f"{task.task.name}: config", before.task.config_sha[:16], now.task.config_sha[:16]))
        if before.dataset_fingerprint != now.dataset_fingerprint:
            found.append(
                Change(f"{task.task.name}: data", before.dataset_fingerprint[:16], now.dataset_fingerprint[:16])
            )
        if before.task_hash != now.task_hash:
            found.append(Change(f"{task.task.name}: questions as asked", before.task_hash[:16], now.task_hash[:16]))
    return found


def _facts(other: EvaluationRun, run: EvaluationRun) -> list[Change]:
    """Every recorded fact of both, in the order of the run's page."""
    before, now = _recorded(other), _recorded(run)
    nothing = reproduction.Fact("", None)
    return [
        Change((now.get(name) or before[name]).name, before.get(name, nothing).value, now.get(name, nothing).value)
        for name in {**now, **before}
    ]


def _recorded(run: EvaluationRun) -> dict[str, reproduction.Fact]:
    facts = [*reproduction.model_facts(run.revision), *reproduction.setting_facts(run)]
    facts += [reproduction.suite_facts(run)[0], reproduction.Fact(_("worker"), run.worker or None)]
    return {str(fact.name): fact for fact in facts}


def _results(run: EvaluationRun) -> dict[str, TaskResult]:
    found = TaskResult.objects.filter(run=run).select_related("task__benchmark").defer("item_scores")
    return {result.task.name: result for result in found}


def _task(
    mine: TaskResult, theirs: TaskResult, scores: dict[int, NDArray[np.float32]], *, in_headline: bool
) -> TaskProof:
    private = mine.task.benchmark.is_private
    a, b = scores.get(mine.pk), scores.get(theirs.pk)
    why_not = ""
    if a is None or b is None:
        why_not = "no_items"
    elif a.size != b.size:
        why_not = "other_number"
    elif mine.dataset_fingerprint != theirs.dataset_fingerprint:
        why_not = "other_data"
    if why_not or a is None or b is None:
        return TaskProof(mine.task, in_headline, mine, theirs, None, [], 0, why_not, private)
    first, second = a.astype(np.float64), b.astype(np.float64)
    known = ~np.isnan(first) & ~np.isnan(second)
    flipped = np.flatnonzero(known & (first != second))
    lost = int((np.isnan(first) != np.isnan(second)).sum())
    found = paired_difference(first, second)
    return TaskProof(mine.task, in_headline, mine, theirs, found, [int(i) for i in flipped], lost, "", private)


def _mean(tasks: Sequence[TaskProof]) -> tuple[float | None, float | None, float | None, float | None]:
    """(difference, low, high, p) of the mean over tasks, whose errors add as those of independent sets."""
    parts = [task.difference for task in tasks]
    known = [part for part in parts if part is not None and part.difference is not None]
    if not parts or len(known) < len(parts):
        return None, None, None, None
    mean = math.fsum(part.difference for part in known if part.difference is not None) / len(known)
    halves = [(part.high - part.low) / 2 for part in known if part.low is not None and part.high is not None]
    if len(halves) < len(known):
        return mean, None, None, None
    if len(known) == 1:
        return mean, known[0].low, known[0].high, known[0].p
    half = math.hypot(*halves) / len(known)
    p = float(two_sided_p(mean / half * normal_quantile())) if half > 0 else (1.0 if mean == 0 else 0.0)
    return mean, mean - half, mean + half, p


def _verdict(run: EvaluationRun, other: EvaluationRun, tasks: Sequence[TaskProof], p: float | None) -> Verdict:
    """identical: every item of every task has the same score, or none, on both sides. different: the mean difference is
    surely not 0 (p < ALPHA), or that of one task is (Bonferroni). within: neither. unknown: items cannot be paired.
    Tasks that only one side has a result for do not count; the page names them.
    """
    if run.is_active or other.is_active:
        return "pending"
    if not tasks or any(task.difference is None for task in tasks):
        return "unknown"
    if all(task.is_same for task in tasks):
        return "identical"
    ps = [task.difference.p for task in tasks if task.difference is not None]
    if (p is not None and p < ALPHA) or any(one is not None and one < ALPHA / len(tasks) for one in ps):
        return "different"
    return "unknown" if p is None else "within"


def _flips(task: TaskProof, places: Sequence[int]) -> list[Flip]:
    samples = list(Sample.objects.filter(result__in=(task.run.pk, task.other.pk), doc_id__in=places))
    mine = {sample.doc_id: sample for sample in samples if sample.result_id == task.run.pk}
    theirs = {sample.doc_id: sample for sample in samples if sample.result_id == task.other.pk}
    texts = {row.sample.doc_id: row.question for row in rows(task.run, list(mine.values()))}
    return [
        Flip(task.task, at, texts.get(at, ""), theirs[at], mine[at], outcome(theirs[at]), outcome(mine[at]))
        for at in places
        if at in mine and at in theirs
    ]
