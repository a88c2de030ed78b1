"""The numbers of one run by one judge, worked out from its judgments and stored once as a `JudgedRun`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any, NamedTuple, cast, get_args

from django.db import transaction
from django.db.models import Count, Q, Sum

from judging import bias, fidelity, prices, scores
from judging.formats import Game, PairJudgment, Place, Protocol
from judging.formats.protocols import Penalty
from judging.models import Answer, Judge, JudgedRun, Judgment, QuestionSet
from judging.packing import multi_turn_to_json, share_to_json
from judging.plan import newest_runs
from judging.question_sets import protocol_of
from judging.scores import Failed, Rated
from judging.verdicts import SWAPPED, Label
from runners import runs
from runners.models import EvaluationRun, Message

FAILED: tuple[Failed, ...] = get_args(Failed)
PENALTIES: tuple[Penalty, ...] = get_args(Penalty)
NOWHERE = Place("", 0)


class Told(NamedTuple):
    """A judgment, as far as the numbers need it."""

    subject_id: int
    rival_id: int | None
    turn: int
    swapped: bool
    repeat: int
    canary: str
    status: str
    score: float | None
    verdict: str
    failure: str
    published: str
    reason: str = ""


COLUMNS = [name for name in Told._fields if name != "reason"]


def told(*also: Q, **conditions: Any) -> list[Told]:
    """The judgments that meet the conditions, in the order they were planned."""
    rows = Judgment.objects.filter(*also, **conditions).order_by("pk").values_list(*COLUMNS)
    return [Told(*row) for row in rows]


def compute(run: EvaluationRun, judge: Judge, question_set: QuestionSet) -> JudgedRun:
    """Works out and stores the row of this run and judge; the boards learn of it in the same transaction.

    Where the judge compares everybody with everybody, the rows of the others change as well.
    """
    if judge.plays_all:
        met = Judgment.objects.filter(judge=judge, run=run, canary="").values_list("rival__run", flat=True).distinct()
        for other in EvaluationRun.objects.filter(pk__in=list(met)).select_related("revision__endpoint", "suite"):
            _compute(other, judge, question_set)
    return _compute(run, judge, question_set)


def _compute(run: EvaluationRun, judge: Judge, question_set: QuestionSet) -> JudgedRun:
    answers = list(Answer.objects.filter(run=run).select_related("question"))
    rows = meetings(run, judge) if judge.plays_all else told(run=run, judge=judge, canary="")
    states, failures = Counter(row.status for row in rows), Counter(row.failure for row in rows if row.failure)
    if judge.mode == Judge.Mode.SINGLE:
        numbers = single_numbers(answers, rows, protocol_of(question_set), failed_turns(run))
    else:
        numbers = pair_numbers(judge, rows)
    counted = states.total() - states["pending"]
    values: dict[str, Any] = {
        "question_set": question_set,
        "mode": answers[0].mode if answers else "default",
        "numbers": numbers,
        "is_complete": not states["pending"],
        "is_invalid": scores.is_invalid(counted - states["done"], counted),
        "n_questions": len(answers),
        "n_judgments": states.total(),
        "n_zero": sum(row.score == 0 for row in rows),
        **{f"n_{status}": states[status] for status in ("done", "unparsable", "refused", "error", "pending")},
        "failures": dict(failures),
        "fidelity": fidelity.summary(turn for answer in answers for turn in answer.fidelity),
        **_answer_figures(run),
        **_judge_figures(run, judge),
    }
    with transaction.atomic():
        judged, _ = JudgedRun.objects.update_or_create(run=run, judge=judge, defaults=values)
        runs.touch("boards")
    return judged


def meetings(run: EvaluationRun, judge: Judge) -> list[Told]:
    """What a judge of all pairs said of a run's answers, whichever run asked, with this run's answer as the subject.

    Runs that were withdrawn, or that their model has answered anew since, have no part in it.
    """
    others = [pk for pk in newest_runs(run.suite) if pk != run.pk]
    asked = told(judge=judge, run=run, rival__run__in=others, canary="")
    answered = told(judge=judge, run__in=others, rival__run=run, canary="")
    return asked + [turned(row) for row in answered]


def turned(row: Told) -> Told:
    """The same judgment of a pair, told of the other answer."""
    assert row.rival_id is not None
    verdict = SWAPPED[cast(Label, row.verdict)] if row.verdict else ""
    return row._replace(subject_id=row.rival_id, rival_id=row.subject_id, swapped=not row.swapped, verdict=verdict)


def failed_turns(run: EvaluationRun) -> set[tuple[int, int]]:
    """(conversation, turn) of the turns whose request failed."""
    failed = Message.objects.filter(conversation__run=run, status=Message.Status.ERROR, role=Message.Role.ASSISTANT)
    return set(failed.values_list("conversation_id", "turn"))


def single_numbers(
    answers: Sequence[Answer], rows: Iterable[Told], protocol: Protocol, failed: Iterable[tuple[int, int]] = ()
) -> dict[str, Any]:
    """`{"<failed>/<penalty>": multi-turn numbers}` for every choice of the two switches.

    `failed` names the turns (conversation, turn) that were never got: they have no score and count as failed.
    """
    by_conversation = {answer.conversation_id: answer for answer in answers}
    rated: dict[Penalty, list[Rated]] = {penalty: [] for penalty in PENALTIES}
    for row in rows:
        answer = by_conversation.get(row.subject_id)
        if answer is None or row.status == "pending":
            continue
        question, korean = answer.question, _is_korean(answer, row.turn)
        exempt = protocol.is_exempt(question.key, row.turn, question.category)
        for penalty in PENALTIES:
            score = bias.penalised(row.score, korean, penalty, exempt=exempt)
            rated[penalty].append(Rated(question.key, question.category, row.turn, score))
    for conversation, turn in failed:
        answer = by_conversation[conversation]
        for penalty in PENALTIES:
            rated[penalty].append(Rated(answer.question.key, answer.question.category, turn, None))
    # Most runs have neither unread verdicts nor answers out of Korean: then the switches change nothing.
    made: dict[tuple[Failed, tuple[float | None, ...]], dict[str, Any]] = {}
    numbers: dict[str, Any] = {}
    for penalty, told_rows in rated.items():
        points = tuple(one.score for one in told_rows)
        for unread in FAILED:
            key = (unread if None in points else FAILED[0], points)
            if key not in made:
                made[key] = multi_turn_to_json(scores.multi_turn(told_rows, protocol.aggregate, unread))
            numbers[f"{unread}/{penalty}"] = made[key]
    return numbers


def pair_numbers(judge: Judge, rows: Iterable[Told]) -> dict[str, Any]:
    """What a judge of pairs said of this run's answers, the rival as the left side (Arena-Hard's baseline).

    `rivals` counts the models it met. Where everybody meets everybody equally often, the order by this share is that
    of Bradley-Terry strengths (Zermelo 1929).
    """
    rows = list(rows)
    pairs = pairs_of(rows)
    rivals = {row.rival_id for row in rows if row.rival_id is not None}
    met = Answer.objects.filter(conversation__in=rivals).values("revision").distinct().count() if rivals else 0
    weight = 3 if judge.mode == Judge.Mode.FIVE else 1
    return {
        "baseline": judge.baseline.slug if judge.baseline else None,
        "rivals": met,
        "strict": asdict(scores.against_baseline(pairs, weight)),
        "published": asdict(scores.against_baseline(pairs, weight, published=True)),
        "position": position_to_json(bias.position(pairs)),
    }


def pairs_of(rows: Iterable[Told]) -> list[PairJudgment]:
    """Both orders of every pair and repeat as one judgment; the subject is the right side."""
    games: dict[tuple[Any, ...], list[Game]] = defaultdict(list)
    for row in rows:
        if row.rival_id is None or row.status == "pending":
            continue
        # A verdict is stored with the subject as A; a game tells it with the answer that was shown first as A.
        label, published = (_as_shown(text, row.swapped) for text in (row.verdict, row.published))
        game = Game("left" if row.swapped else "right", label, published, row.failure or None, "")
        games[row.subject_id, row.rival_id, row.turn, row.repeat, row.canary].append(game)
    return [
        PairJudgment(str(key[0]), key[2], str(key[1]), str(key[0]), "", key[4], tuple(both), NOWHERE)
        for key, both in games.items()
    ]


def position_to_json(found: bias.Position) -> dict[str, Any]:
    """`{consistent, prefers_first, prefers_second, mixed: shares, failed}`."""
    shares = ("consistent", "prefers_first", "prefers_second", "mixed")
    return {**{name: share_to_json(getattr(found, name)) for name in shares}, "failed": found.failed}


def _as_shown(verdict: str, swapped: bool) -> Label | None:
    if not verdict:
        return None
    label = cast(Label, verdict)
    return SWAPPED[label] if swapped else label


def _is_korean(answer: Answer, turn: int) -> bool | None:
    """False for a text that is clearly not Korean; None where there is no text to tell by."""
    measured = answer.fidelity[turn - 1] if len(answer.fidelity) >= turn else None
    return None if not measured else not measured["not_korean"]


def _answer_figures(run: EvaluationRun) -> dict[str, Any]:
    said = Message.objects.filter(conversation__run=run, role=Message.Role.ASSISTANT)
    found = said.aggregate(
        n_turns=Count("pk"),
        n_failed=Count("pk", filter=Q(status=Message.Status.ERROR)),
        n_truncated=Count("pk", filter=Q(status=Message.Status.TRUNCATED)),
        n_empty=Count("pk", filter=Q(status=Message.Status.EMPTY)),
        prompt_tokens=Sum("prompt_tokens"),
        completion_tokens=Sum("completion_tokens"),
        answer_seconds=Sum("seconds"),
        answer_cost_usd=Sum("cost_usd"),
    )
    return dict(found)


def _judge_figures(run: EvaluationRun, judge: Judge) -> dict[str, Any]:
    """What all calls of this judge for this run took, its canaries and repairs included."""
    found = Judgment.objects.filter(run=run, judge=judge).aggregate(
        judge_prompt_tokens=Sum("prompt_tokens"),
        judge_completion_tokens=Sum("completion_tokens"),
        judge_cost_usd=Sum("cost_usd"),
    )
    served = [judge.endpoint.served_name] if judge.endpoint else []
    if run.revision.endpoint is not None:
        served.append(run.revision.endpoint.served_name)
    known = [price.krw_per_usd for name in served if (price := prices.price_of(name)) is not None]
    rate: Decimal | None = known[0] if known else None
    return {**found, "krw_per_usd": rate}
