"""What judging the finished runs would take, before it is asked for: calls, pairs of models, a bound on the money."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from judging import plan, prices
from judging.formats import Protocol
from judging.models import Judge, Judgment, QuestionSet
from judging.plan import Subject
from judging.question_sets import protocol_of
from runners.models import Conversation, EvaluationRun

# Calls whose text is looked at for the bound; the others are taken to be like them.
SAMPLE = 60


@dataclass(frozen=True)
class Forecast:
    """`calls` without repairs; `most_usd` bounds them and is None where the judge has no price."""

    runs: int
    pairs: int
    calls: int
    most_usd: Decimal | None
    krw_per_usd: Decimal | None

    @property
    def dollars(self) -> str:
        return f"${self.most_usd:,.2f}"

    @property
    def won(self) -> str:
        return f"₩{(self.most_usd or 0) * (self.krw_per_usd or 0):,.0f}"


def finished_runs(judge: Judge) -> list[EvaluationRun]:
    """The finished runs of the sets that a judge judges."""
    sets = QuestionSet.objects.all()
    if judge.question_sets:
        sets = sets.filter(slug__in=judge.question_sets)
    found = EvaluationRun.objects.filter(suite__in=sets.values("suite"), status="finished", withdrawn_at=None)
    return list(found.select_related("suite", "revision").order_by("pk"))


def of(judge: Judge) -> Forecast:
    """What `finished_runs` take. A pair that two of them share is counted once. Raises plan.NoBaseline."""
    price = prices.price_of(judge.endpoint.served_name if judge.endpoint else "")
    met: set[frozenset[int | None]] = set()
    calls, sample, runs = 0, list[tuple[Protocol, Subject]](), finished_runs(judge)
    for run in runs:
        question_set = QuestionSet.objects.get(suite=run.suite)
        subjects = [one for one in plan.subjects(run, judge) if _is_new(one, met)]
        calls += plan.size(judge, question_set, subjects)
        calls -= Judgment.objects.filter(run=run, judge=judge).exclude(status__in=("pending", "error")).count()
        sample += [
            (protocol_of(question_set), one) for one in subjects[:: max(1, len(subjects) // SAMPLE)] if one.turns
        ]
    each = [_most(judge, protocol, one) for protocol, one in sample[:: max(1, len(sample) // SAMPLE)]]
    most = None if price is None else calls * sum(each, Decimal(0)) / max(len(each), 1)
    return Forecast(len(runs), _pairs(met), max(calls, 0), most, price.krw_per_usd if price else None)


def _is_new(one: Subject, met: set[frozenset[int | None]]) -> bool:
    if one.rival is None:
        return True
    pair = frozenset({one.conversation, one.rival})
    if pair in met:
        return False
    met.add(pair)
    return True


def _pairs(met: Iterable[frozenset[int | None]]) -> int:
    """How many pairs of models those pairs of conversations are."""
    revisions = dict(Conversation.objects.values_list("pk", "revision_id")) if met else {}
    return len({frozenset(revisions[one] for one in pair if one is not None) for pair in met})


def _most(judge: Judge, protocol: Protocol, subject: Subject) -> Decimal:
    price = prices.price_of(judge.endpoint.served_name if judge.endpoint else "")
    row = Judgment(judge=judge, turn=subject.turns)
    text = "".join(message["content"] for message in plan.call_of(judge, protocol, subject, row).messages)
    return prices.most(price, text, judge.max_tokens)
