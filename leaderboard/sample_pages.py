"""The single questions of a run: what was asked, what came back, how it was read, and how others answered."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.core.files.storage import default_storage
from django.db.models import Count, F, Q
from django.utils.functional import Promise
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from runners.models import Artifact, EvaluationRun, Sample, TaskResult
from runners.reports import SampleReport

RIGHT = Q(correct__gte=1)
OUTCOMES: dict[str, tuple[str | Promise, Q]] = {
    "right": (_("right"), RIGHT & Q(status="scored")),
    "wrong": (_("wrong"), ~RIGHT & Q(status="scored")),
    "no_answer": (_("no answer"), Q(status="no_answer")),
    "error": (_("failed request"), Q(status="error")),
}
PILLS = {"right": "ok", "wrong": "wrong", "no_answer": "no_answer", "error": "error"}
OTHERS = 200
QUESTION = "문제:"


@dataclass(frozen=True)
class Outcome:
    """How an item came out: a key of OUTCOMES, its words and its mark."""

    key: str

    @property
    def label(self) -> str | Promise:
        return OUTCOMES[self.key][0]

    @property
    def pill(self) -> str:
        return PILLS[self.key]


@dataclass(frozen=True)
class Turn:
    """One message of a prompt."""

    role: str
    text: str


@dataclass(frozen=True)
class Option:
    """One option of a likelihood item. `share` is its part of the options' probability, 0..1."""

    text: str
    logprob: float
    share: float
    is_chosen: bool
    is_target: bool


@dataclass(frozen=True)
class Row:
    """One line of a list of items; `question` is empty where the file is not at hand."""

    sample: Sample
    outcome: Outcome
    question: str


@dataclass(frozen=True)
class Other:
    """The same item answered by another model or in another mode."""

    sample: Sample
    outcome: Outcome
    run: EvaluationRun
    result: TaskResult


def outcome(sample: Sample) -> Outcome:
    if sample.status != Sample.Status.SCORED:
        return Outcome(sample.status)
    return Outcome("right" if sample.correct is not None and sample.correct >= 1 else "wrong")


def counts(results: Iterable[TaskResult]) -> dict[int, dict[str, int]]:
    """Per result how many items came out how. One query."""
    parts = {key: Count("pk", filter=condition) for key, (_label, condition) in OUTCOMES.items()}
    found = Sample.objects.filter(result__in=list(results)).values("result_id").annotate(**parts)
    return {pk: dict(zip(parts, numbers, strict=True)) for pk, *numbers in found.values_list("result_id", *parts)}


def rows(result: TaskResult, samples: Sequence[Sample]) -> list[Row]:
    """The items with the last words of their questions, from one opening of the file."""
    reports = read(result, samples)
    return [Row(sample, outcome(sample), _gist(reports.get(sample.pk))) for sample in samples]


def read(result: TaskResult, samples: Iterable[Sample]) -> dict[int, SampleReport]:
    """Per sample the item as it stands in the samples file; empty where the file is gone."""
    artifact = Artifact.objects.filter(result=result).first()
    if artifact is None or not default_storage.exists(artifact.path):
        return {}
    found = {}
    with default_storage.open(artifact.path, "rb") as file:
        for sample in samples:
            file.seek(sample.offset)
            found[sample.pk] = SampleReport.from_dict(json.loads(file.readline()))
    return found


def turns(prompt: str) -> list[Turn]:
    """The messages of a chat prompt, or the whole text as one."""
    if prompt.lstrip().startswith("["):
        try:
            messages = json.loads(prompt)
        except ValueError:
            messages = None
        if isinstance(messages, list) and messages and all(isinstance(m, dict) and "content" in m for m in messages):
            return [Turn(str(m.get("role", "user")), str(m["content"])) for m in messages]
    return [Turn("", prompt)]


def options(report: SampleReport) -> list[Option]:
    """The options of an item asked by likelihood, each with its log-probability and its share of them all."""
    if not report.logprobs:
        return []
    names = report.choices or [str(number) for number in range(1, len(report.logprobs) + 1)]
    top = max(report.logprobs)
    weights = [math.exp(logprob - top) for logprob in report.logprobs]
    best = report.logprobs.index(top)
    return [
        Option(name, logprob, weight / math.fsum(weights), index == best, name == report.target)
        for index, (name, logprob, weight) in enumerate(zip(names, report.logprobs, weights, strict=False))
    ]


def others(sample: Sample, run: EvaluationRun, benchmark_id: int) -> list[Other]:
    """What the other published runs made of the same item, the newest of each revision and mode. One query.

    At most OTHERS of the newest answers are looked at.
    """
    found = (
        Sample.objects.filter(item_id=sample.item_id, result__task__benchmark=benchmark_id)
        .filter(result__run__withdrawn_at=None, result__run__revision__language_model__hidden_reason="")
        .exclude(result__run__status="cancelled")
        .exclude(pk=sample.pk)
        .select_related("result__task", "result__run__revision__language_model")
        .defer("result__item_scores", "result__run__log_tail", "result__run__environment")
        .order_by("-result__run_id", "result_id")[:OTHERS]
    )
    seen = {(run.revision_id, sample.result.task.mode)}
    kept = []
    for other in found:
        mark = (other.result.run.revision_id, other.result.task.mode)
        if mark not in seen:
            seen.add(mark)
            kept.append(Other(other, outcome(other), other.result.run, other.result))
    return sorted(kept, key=lambda other: (other.result.task.mode, other.run.revision.language_model.name.lower()))


def neighbours(sample: Sample, condition: Q) -> tuple[int | None, int | None]:
    """doc_id of the item before and after, among those that pass `condition`. Two queries."""
    same = Sample.objects.filter(condition, result=sample.result_id).values_list("doc_id", flat=True)
    before = same.filter(doc_id__lt=sample.doc_id).order_by(F("doc_id").desc()).first()
    after = same.filter(doc_id__gt=sample.doc_id).order_by("doc_id").first()
    return before, after


def _gist(report: SampleReport | None, most: int = 160) -> str:
    """The question itself where the prompt marks it, else the prompt's end: instructions and examples come before."""
    if report is None:
        return ""
    text = turns(report.prompt)[-1].text.strip()
    _before, mark, question = text.rpartition(QUESTION)
    if mark and question.strip():
        return Truncator(question.strip()).chars(most)
    return text if len(text) <= most else f"…{text[-most:]}"
