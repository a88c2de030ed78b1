"""Judging of pairs that no run asked for: battles that people voted on, both orders, the first two turns.

A judge's seat is one row; whoever holds its token is the only one who makes that judge's calls about battles. Money,
calls and verdicts go the way of every judgment (`judging.judgments`), paid from the budgets `arena` and `global`.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from judging import budgets, plan, prices
from judging.formats import Protocol
from judging.judgments import Open, Session
from judging.models import Answer, Judge, Judgment, Question, Seat
from judging.prompts import Call, all_prompts
from judging.question_sets import KNOWN, protocol_of
from runners import clock, runs
from runners.adapters.chat import ChatError
from runners.child.errors import ChildError
from runners.models import Conversation, Message
from runners.supervise import Drained, Failure, Lost

ARENA: Final = "arena"
"""Stands among a judge's question sets for battles."""
TURNS: Final = 2
"""The prompts show two turns at most; what was said after them is not judged."""
AT_ONCE: Final = 500
TRY_AGAIN: Final = timedelta(minutes=30)
NO_MONEY: Final = timedelta(minutes=1)
GIVE_UP: Final = timedelta(days=1)
Pair = tuple[int, int]


def judges() -> list[Judge]:
    """Who judges battles: active judges of pairs, and the comparing twins of active judges of single answers."""
    active = Judge.objects.filter(is_active=True).exclude(kind=Judge.Kind.IMPORTED).select_related("endpoint")
    found, twins = [], {f"{slug}-pair" for slug in Judge.objects.filter(mode="single").values_list("slug", flat=True)}
    for judge in active.order_by("pk"):
        if judge.question_sets and ARENA not in judge.question_sets:
            continue
        if judge.mode == Judge.Mode.SINGLE:
            found.append(twin(judge))
        elif judge.slug not in twins:
            found.append(judge)
    return [judge for judge in found if judge.is_active]


def twin(judge: Judge) -> Judge:
    """The judge of pairs that a judge of single answers is at battles: other words make it a judge of its own."""
    slug, version = f"{judge.slug[:75]}-pair", judge.version
    known = Judge.objects.filter(slug=slug, version=version).select_related("endpoint").first()
    if known is not None:
        return known
    output = "json" if judge.json_schema else "brackets"
    prompts = {
        one.name: one.text
        for one in all_prompts()
        if (one.form, one.language, one.output) == ("pair", judge.prompt_language, output)
    }
    is_model = judge.kind == Judge.Kind.LLM
    sha = hashlib.sha256(json.dumps(prompts, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
    kept = ("kind", "name", "endpoint", "family", "prompt_language", "temperature", "max_tokens", "json_schema",
            "cap_usd")  # fmt: skip
    values = {name: getattr(judge, name) for name in kept}
    values |= {"prompts": prompts if is_model else {}, "prompts_sha": sha if is_model else ""}
    made, _ = Judge.objects.get_or_create(
        slug=slug, version=version, defaults={**values, "mode": Judge.Mode.PAIR, "question_sets": [ARENA]}
    )
    return made


def plan_pairs(judge: Judge, pairs: Iterable[Pair]) -> int:
    """Puts the judgments of pairs of conversations in line that this judge has none of; how many rows were new."""
    wanted = {(min(pair), max(pair)) for pair in pairs}
    ids = {one for pair in wanted for one in pair}
    known = Judgment.objects.filter(judge=judge, canary="", subject__in=ids, rival__in=ids)
    told = {(min(pair), max(pair)) for pair in known.values_list("subject_id", "rival_id")}
    rows = [
        row for subject, protocol in _subjects(wanted - told).values() for row in plan.duel(judge, protocol, subject)
    ]
    Judgment.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
    return len(rows)


def _subjects(pairs: Iterable[Pair]) -> dict[Pair, tuple[plan.Subject, Protocol]]:
    """What a judge is shown of each pair; those without texts (deleted, or never answered) are left out."""
    wanted = sorted(set(pairs))
    ids = sorted({one for pair in wanted for one in pair})
    texts, asked = plan.texts_of(ids), _asked(ids)
    answers = Answer.objects.filter(conversation__in=ids).select_related("question__question_set__suite")
    questions = {one.conversation_id: one.question for one in answers}
    found = {}
    for left, right in wanted:
        question = questions.get(left) or questions.get(right)
        protocol = protocol_of(question.question_set) if question else KNOWN["mt-bench"]
        question = question or Question(turns=asked.get(left, []), references=[], category="")
        if left in texts and right in texts and any(question.turns):
            found[left, right] = (plan.Subject(left, question, texts[left], right, texts[right]), protocol)
    return found


def _asked(conversations: Sequence[int]) -> dict[int, list[str]]:
    """The first prompts of live conversations."""
    found: dict[int, list[str]] = {}
    rows = Message.objects.filter(conversation__in=conversations, role=Message.Role.USER).order_by("position")
    for conversation, text in rows.values_list("conversation_id", "text"):
        told = found.setdefault(conversation, [])
        if len(told) < TURNS:
            told.append(text)
    return found


def open_rows() -> QuerySet[Judgment]:
    """Judgments about battles, of every judge."""
    return Judgment.objects.filter(run=None, is_imported=False, rival__isnull=False)


def forget(conversations: QuerySet[Conversation]) -> None:
    """Takes away what judges said in words of these conversations, and what they were still to say; verdicts stay."""
    rows = open_rows().filter(subject__in=conversations)
    rows.filter(status="pending", reserved_usd=None).delete()
    rows.exclude(raw="", reason="").update(raw="", reason="")


def due() -> list[int]:
    """Seats to which somebody should be sent: work waits, nobody sits there, and the last hint is old."""
    now = clock.now()
    waiting = open_rows().filter(judge=OuterRef("judge"), status="pending")
    seats = Seat.objects.filter(Exists(waiting), _free(), Q(not_before=None) | Q(not_before__lte=now))
    old = now - timedelta(seconds=settings.HINT_SECONDS)
    return list(seats.filter(Q(hinted_at=None) | Q(hinted_at__lt=old)).order_by("pk").values_list("pk", flat=True))


def hinted(seat_id: int) -> None:
    Seat.objects.filter(pk=seat_id).update(hinted_at=clock.now())


def _free() -> Q:
    return Q(token="") | Q(lease_until__lt=clock.now())


def sit(seat_id: int, draining: Callable[[], bool] = lambda: False) -> bool:
    """One sitting: works off what waits for this judge. False where somebody else sits there, or staff wants none."""
    token, lease = secrets.token_hex(16), timedelta(seconds=settings.LEASE_SECONDS)
    if not Seat.objects.filter(_free(), pk=seat_id).update(token=token, lease_until=clock.now() + lease):
        return False
    seat = Seat.objects.select_related("judge__endpoint").get(pk=seat_id)
    kind, text, pause = "", "", timedelta(0)
    try:
        _work(seat, token, draining)
    except Lost:
        return True
    except Drained:
        pass
    except budgets.NoMoney as error:
        kind, text, pause = "judging_stopped" if error.stopped else "budget_reached", str(error), NO_MONEY
    except (ChatError, ChildError, Failure) as error:
        kind, text, pause = error.kind, error.message, TRY_AGAIN
        # The server as a whole was away: what it did not answer is asked again, for a day.
        failed = open_rows().filter(judge=seat.judge, claim=token, status="error", reserved_usd=None)
        failed.filter(created_at__gt=clock.now() - GIVE_UP).update(status="pending", failure="", reason="")
    Seat.objects.filter(pk=seat_id, token=token).update(
        token="", lease_until=None, hinted_at=None, error_kind=kind[:40], error_text=text[:500],
        not_before=clock.now() + pause if pause else None,
    )  # fmt: skip
    return True


def _work(seat: Seat, token: str, draining: Callable[[], bool]) -> None:
    judge = seat.judge
    served = judge.endpoint.served_name if judge.endpoint else ""
    if judge.kind == Judge.Kind.LLM and judge.endpoint is None:
        raise Failure("no_endpoint", f"The judge {judge} has no endpoint: add it with --endpoint SLUG.", True)
    if judge.cap_usd is not None and judge.endpoint is not None and prices.price_of(served) is None:
        raise Failure(
            "no_price", f"The judge {judge} has a cap in dollars, and no price is known for {served}: add_price.", True
        )

    def pulse(done: int, total: int | None, stage: str) -> None:
        if draining():
            raise Drained("the worker was asked to leave; what waits is judged by the next one")

    claim = runs.Claim(0, token, 0)
    Sitting(claim, judge, KNOWN["mt-bench"], pulse, []).go()


@dataclass
class Sitting(Session):
    """A session over battles: fenced by the seat instead of a run."""

    protocols: dict[Pair, Protocol] = field(default_factory=dict)

    def _books(self) -> tuple[list[str], QuerySet[Judgment]]:
        return budgets.arena_budgets(), open_rows().filter(judge=self.judge)

    def _holds(self) -> bool:
        lease = clock.now() + timedelta(seconds=settings.LEASE_SECONDS)
        return bool(Seat.objects.filter(judge=self.judge, token=self.claim.token).update(lease_until=lease))

    def _take_over(self) -> None:
        with transaction.atomic():
            self._fence()
            self._book_lost()
        rows = list(self.rows.filter(status="pending").order_by("pk")[:AT_ONCE])
        told = _subjects((row.subject_id, row.rival_id) for row in rows if row.rival_id is not None)
        for row in rows:
            pair = (row.subject_id, row.rival_id or 0)
            if pair in told:
                subject, self.protocols[pair] = told[pair]
                self.waiting.append(Open(row, subject, row.raw if row.calls else ""))
            else:
                self.rows.filter(pk=row.pk).update(status="error", failure="not_recorded", reason="no texts any more")
        self.total = len(self.waiting)

    def _call(self, one: Open) -> Call:
        protocol = self.protocols[one.row.subject_id, one.row.rival_id or 0]
        return plan.call_of(self.judge, protocol, one.subject, one.row)
