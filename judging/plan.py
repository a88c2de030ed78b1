"""Which calls a judge has to make for a run: every turn of every answer, k times, and the canaries.

The rows stand in the database before the first call; each carries the sha256 of all that its call says, so that no
call can be planned, or paid for, twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from django.db import transaction
from django.db.models import F

from judging.canaries import CANARIES
from judging.formats import Protocol
from judging.models import Answer, Judge, Judgment, Question, QuestionSet
from judging.prompts import Call, Language, Prompt, PromptForm, ask
from judging.question_sets import protocol_of
from runners.models import EvaluationRun, Message, Suite

FORMS: dict[str, PromptForm] = {"single": "score", "pair": "pair", "five": "five"}
# Each canary stands in for this many answers of every judging run.
CANARY_ANSWERS = 2
GRADED = (Message.Status.OK, Message.Status.TRUNCATED, Message.Status.EMPTY)
CANARY = {canary.slug: canary for canary in CANARIES}


@dataclass(frozen=True)
class Subject:
    """One answer that is judged, with the baseline's where pairs are; texts of the turns that were answered."""

    conversation: int
    question: Question
    texts: tuple[str, ...]
    rival: int | None = None
    rival_texts: tuple[str, ...] = ()

    @property
    def turns(self) -> int:
        """How many turns can be judged."""
        both = len(self.texts) if self.rival is None else min(len(self.texts), len(self.rival_texts))
        return min(both, len(self.question.turns))


class NoBaseline(Exception):
    """A judge of pairs has nobody to compare with; the message says what to do."""


def active_judges(question_set: QuestionSet) -> list[Judge]:
    """The judges that judge every run of a set."""
    judges = (
        Judge.objects.filter(is_active=True).exclude(kind=Judge.Kind.IMPORTED).select_related("endpoint", "baseline")
    )
    return [
        judge for judge in judges.order_by("pk") if not judge.question_sets or question_set.slug in judge.question_sets
    ]


def texts_of(conversations: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The answered turns of conversations, in order, up to the first that failed."""
    found: dict[int, list[str]] = {}
    rows = Message.objects.filter(
        conversation__in=conversations, role=Message.Role.ASSISTANT, status__in=GRADED
    ).order_by("conversation", "position")
    for conversation, turn, text in rows.values_list("conversation_id", "turn", "text"):
        told = found.setdefault(conversation, [])
        if turn == len(told) + 1:
            told.append(text)
    return {conversation: tuple(told) for conversation, told in found.items()}


def subjects(run: EvaluationRun, judge: Judge) -> list[Subject]:
    """The answers of a run as this judge sees them. Raises NoBaseline for a judge of pairs without a rival."""
    answers = list(Answer.objects.filter(run=run).select_related("question").order_by("question__position"))
    texts = texts_of([answer.conversation_id for answer in answers])
    if judge.mode == Judge.Mode.SINGLE:
        return [
            Subject(answer.conversation_id, answer.question, texts[answer.conversation_id])
            for answer in answers
            if answer.conversation_id in texts
        ]
    rivals = _everybody(judge, run) if judge.plays_all else _baseline(judge, run)
    told = texts_of([rival for many in rivals.values() for rival in many])
    return [
        Subject(answer.conversation_id, answer.question, texts[answer.conversation_id], rival, told[rival])
        for answer in answers
        for rival in rivals.get(answer.question_id, ())
        if rival in told and answer.conversation_id in texts
    ]


def _baseline(judge: Judge, run: EvaluationRun) -> dict[int, list[int]]:
    """Question → the baseline's newest conversation. The baseline itself is not judged."""
    if judge.baseline is None:
        raise NoBaseline(
            f"The judge {judge} compares pairs and has no baseline: add it again with --baseline REVISION."
        )
    if judge.baseline_id == run.revision_id:
        return {}
    rows = Answer.objects.filter(
        revision=judge.baseline, question__question_set__suite=run.suite, run__withdrawn_at=None
    ).exclude(run__status="cancelled")
    found = dict(rows.order_by("run__created_at").values_list("question_id", "conversation_id"))
    if not found:
        raise NoBaseline(f"The baseline {judge.baseline} of {judge} has not answered this set yet; run it first.")
    return {question: [conversation] for question, conversation in found.items()}


def _everybody(judge: Judge, run: EvaluationRun) -> dict[int, list[int]]:
    """Question → the newest conversations of all other models, less those that have met this run's already."""
    met: dict[int, set[int]] = {}
    known = Judgment.objects.filter(judge=judge, rival__run=run, canary="").exclude(run=run)
    for rival, question in known.values_list("subject_id", "rival__answer__question_id").distinct():
        met.setdefault(question, set()).add(rival)
    rows = Answer.objects.filter(run__in=newest_runs(run.suite)).exclude(revision=run.revision_id)
    found: dict[int, list[int]] = {}
    for question, conversation in rows.order_by("run_id").values_list("question_id", "conversation_id"):
        if conversation not in met.get(question, ()):
            found.setdefault(question, []).append(conversation)
    return found


def newest_runs(suite: Suite) -> list[int]:
    """The newest answered run of every revision in a suite, without the withdrawn ones."""
    runs = EvaluationRun.objects.filter(suite=suite, withdrawn_at=None, status__in=("judging", "finished", "failed"))
    # A run that failed before its answers were complete has not come to the judges' lane.
    runs = runs.exclude(status="failed", lane__in=("eval", "gpu"))
    return list(dict(runs.order_by("created_at", "pk").values_list("revision_id", "pk")).values())


def call_of(judge: Judge, protocol: Protocol, subject: Subject, judgment: Judgment) -> Call:
    """The request of a judgment, with a fresh mark around every text that is not ours."""
    turn, question = judgment.turn, subject.question
    prompt = prompt_of(judge, protocol, question, turn)
    return ask(prompt, question.turns[:turn], answers_of(subject, judgment), question.references or ())


def answers_of(subject: Subject, judgment: Judgment) -> list[Sequence[str]]:
    """What the judge is shown, turns up to the judged one: the answer or its canary; of a pair both, as swapped."""
    turn = judgment.turn
    texts: Sequence[str] = subject.texts[:turn]
    if judgment.canary:
        texts = [CANARY[judgment.canary].answer(asked) for asked in subject.question.turns[:turn]]
    if subject.rival is None:
        return [texts]
    rival = subject.rival_texts[:turn]
    return [rival, texts] if judgment.swapped else [texts, rival]


def prompt_of(judge: Judge, protocol: Protocol, question: Question, turn: int) -> Prompt:
    """Which of the judge's prompts a turn is judged with."""
    guided = protocol.uses_reference(question.category) and any((question.references or [])[:turn])
    output = "json" if judge.json_schema else "brackets"
    language = cast(Language, judge.prompt_language)
    return Prompt(FORMS[judge.mode], language, "json" if output == "json" else "brackets", turn > 1, guided)


@transaction.atomic
def plan(run: EvaluationRun, judge: Judge, question_set: QuestionSet) -> list[Subject]:
    """Puts every judgment that is still missing in line, and gives what they are about. Raises NoBaseline."""
    if judge.plays_all:
        # Holds the judge's row: two runs that meet for the first time must not both ask for their pairs.
        Judge.objects.filter(pk=judge.pk).update(is_active=F("is_active"))
    protocol, found = protocol_of(question_set), subjects(run, judge)
    repeats = judge.repeats or question_set.repeats
    rows: list[Judgment] = []
    for subject in found:
        for turn in range(1, subject.turns + 1):
            for repeat in range(repeats):
                rows += _orders(run, judge, protocol, subject, turn=turn, repeat=repeat)
    for canary, subject in _stand_ins(found):
        rows += _orders(run, judge, protocol, subject, turn=1, canary=canary)
    known = set(Judgment.objects.filter(run=run, judge=judge).values_list("call_key", flat=True))
    _forget_stale(run, judge, {row.call_key for row in rows})
    missing = [row for row in rows if row.call_key not in known]
    Judgment.objects.bulk_create(missing, batch_size=500, ignore_conflicts=True)
    return found


def size(judge: Judge, question_set: QuestionSet, found: Sequence[Subject]) -> int:
    """How many judgments `plan` would put in line for these subjects."""
    orders = 1 if judge.mode == Judge.Mode.SINGLE else 2
    repeats = judge.repeats or question_set.repeats
    return orders * (sum(one.turns for one in found) * repeats + sum(1 for _ in _stand_ins(found)))


def _forget_stale(run: EvaluationRun, judge: Judge, wanted: set[str]) -> None:
    """Takes away pairs that nobody asked yet and that would not be asked now: their rival has answered anew."""
    never_asked = Judgment.objects.filter(
        run=run, judge=judge, status="pending", calls=0, reserved_usd=None, rival__isnull=False
    )
    stale = [pk for pk, key in never_asked.values_list("pk", "call_key") if key not in wanted]
    for first in range(0, len(stale), 500):
        Judgment.objects.filter(pk__in=stale[first : first + 500]).delete()


def duel(judge: Judge, protocol: Protocol, subject: Subject) -> list[Judgment]:
    """Both orders of every turn of a pair that no run asked for; not stored."""
    return [row for turn in range(1, subject.turns + 1) for row in _orders(None, judge, protocol, subject, turn=turn)]


def _stand_ins(found: Sequence[Subject]) -> Iterator[tuple[str, Subject]]:
    """Canaries and the answers whose place they take, spread over the questions."""
    judged = [subject for subject in found if subject.turns]
    if not judged:
        return
    for number, canary in enumerate(CANARIES):
        first = number * CANARY_ANSWERS
        for place in dict.fromkeys((first + step) * 7 % len(judged) for step in range(CANARY_ANSWERS)):
            yield canary.slug, judged[place]


def _orders(
    run: EvaluationRun | None,
    judge: Judge,
    protocol: Protocol,
    subject: Subject,
    *,
    turn: int,
    repeat: int = 0,
    canary: str = "",
) -> list[Judgment]:
    made = []
    for swapped in (False, True)[: 1 if subject.rival is None else 2]:
        row = Judgment(
            judge=judge,
            run=run,
            subject_id=subject.conversation,
            rival_id=subject.rival,
            turn=turn,
            swapped=swapped,
            repeat=repeat,
            canary=canary,
            prompt=prompt_of(judge, protocol, subject.question, turn).name,
        )
        row.call_key = _key(judge, subject, row)
        made.append(row)
    return made


def _key(judge: Judge, subject: Subject, row: Judgment) -> str:
    served = judge.endpoint.served_name if judge.endpoint else judge.slug
    said = [
        [judge.pk, judge.prompts_sha, served, row.prompt],
        [subject.question.turns, subject.question.references, subject.texts, subject.rival_texts],
        [row.subject_id, row.rival_id, row.turn, row.swapped, row.repeat, row.canary],
    ]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()
