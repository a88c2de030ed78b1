"""What a suite of conversations rests on, for its page: how it is asked and graded, category by category."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from judging.formats import Protocol
from judging.formats.protocols import Aggregate
from judging.models import QuestionSet
from judging.question_sets import protocol_of
from runners.models import Suite

AGGREGATES: dict[Aggregate, Promise] = {
    "judgments": _("mean of all judgments"),
    "turns": _("mean of the means of both turns"),
    "categories": _("mean of the category means"),
    "battles": _("weighted games against the baseline"),
}


@dataclass(frozen=True)
class Category:
    """One category of a set. `references` counts turns that have one; `is_exempt`: any language will do."""

    name: str
    questions: int
    references: int
    temperature: float
    is_guided: bool
    is_exempt: bool


@dataclass(frozen=True)
class Asked:
    """A question set with its protocol; `turns` are all turns that are asked."""

    question_set: QuestionSet
    protocol: Protocol
    categories: list[Category]
    turns: int

    @property
    def questions(self) -> int:
        return sum(one.questions for one in self.categories)

    @property
    def aggregate(self) -> Promise:
        return AGGREGATES[self.protocol.aggregate]


def asked(suite: Suite) -> Asked | None:
    """How a suite of conversations is asked; None for a suite of tasks. Two queries."""
    question_set = QuestionSet.objects.filter(suite=suite).first()
    if question_set is None:
        return None
    protocol = protocol_of(question_set)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    turns = 0
    for category, asks, references in question_set.questions.values_list("category", "turns", "references"):
        turns += len(asks)
        counts[category][0] += 1
        counts[category][1] += sum(text is not None for text in references or ())
    categories = [
        Category(
            name,
            questions,
            references,
            protocol.temperature(name),
            protocol.uses_reference(name),
            name in protocol.exempt_categories,
        )
        for name, (questions, references) in counts.items()
    ]
    return Asked(question_set, protocol, categories, turns)
