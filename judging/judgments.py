"""One judge's calls for one run: claimed and paid for in the database before they are made, stored as they come.

The rows of `judging.plan` are the work. A call is claimed by a conditional UPDATE, with its money, before it is sent;
its answer is stored, with what it cost, in the transaction that settles the money. So an attempt that dies loses only
the answers still on the wire, and its successor asks for nothing that was answered (docs/judging.md).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Coalesce

from judging import budgets, plan, prices, rule
from judging.formats import Protocol
from judging.models import Judge, Judgment
from judging.prompts import Call, repair
from judging.verdicts import Score, Unparsable, parse
from runners import runs
from runners.adapters import chat
from runners.child.calling import Breaker, CallFailed
from runners.models import Price
from runners.supervise import Lost

CONCURRENCY = int(os.environ.get("GYEORU_JUDGE_CONCURRENCY", "32"))
PATIENCE = 20.0
# Answers that come within so many seconds are stored together; the pool has calls in hand meanwhile.
TOGETHER = 0.025
# Rows that one transaction claims or stores at most: more would hold other writers up.
BATCH = 64
# What an outcome changes. One statement for many rows: an UPDATE by the ORM costs as much as the call itself.
COLUMNS = (
    "status", "score", "verdict", "reason", "raw", "failure", "calls", "prompt_tokens", "completion_tokens", "seconds",
    "served_model", "cost_usd",
)  # fmt: skip
WRITE = (
    f"UPDATE judging_judgment SET {', '.join(f'{name} = %s' for name in COLUMNS)}, reserved_usd = NULL "  # noqa: S608
    "WHERE id = %s AND claim = %s"
)


@dataclass
class Open:
    """A judgment that still needs a call; `reply` is the unread first answer where only the repair is missing."""

    row: Judgment
    subject: plan.Subject
    reply: str = ""
    call: Call | None = None
    reserved: Decimal = Decimal(0)


@dataclass
class Session:
    """One judge at work on one run within one attempt. `done` and `total` count judgments."""

    claim: runs.Claim
    judge: Judge
    protocol: Protocol
    pulse: Callable[[int, int | None, str], None]
    subjects: Sequence[plan.Subject]
    concurrency: int = field(default_factory=lambda: CONCURRENCY)
    done: int = 0
    total: int = 0
    waiting: deque[Open] = field(default_factory=deque)
    out: dict[int, Open] = field(default_factory=dict)

    def __post_init__(self) -> None:
        served = self.judge.endpoint.served_name if self.judge.endpoint else ""
        self.price: Price | None = prices.price_of(served)
        self.breaker = Breaker(str(self.judge))
        self.names, self.rows = self._books()

    def _books(self) -> tuple[list[str], QuerySet[Judgment]]:
        """The budgets that pay, and the rows that are the work."""
        names = budgets.open_budgets(self.claim.run_id, self.judge.slug, self.judge.cap_usd)
        return names, Judgment.objects.filter(run_id=self.claim.run_id, judge=self.judge)

    def go(self) -> None:
        """Every open judgment, to a verdict or a named failure.

        Raises budgets.NoMoney, chat.ChatError (the door is shut), ChildError (the endpoint fails), and what the
        pulse raises; what is on the wire then is waited for and stored first.
        """
        self._take_over()
        if not self.waiting:
            self._fence()
            return
        ask, door = self._asker()
        pool: chat.Pool[int] = chat.Pool(self.concurrency if door else 1)
        try:
            while self.waiting or pool.outstanding:
                self._send(pool, ask)
                self._store(pool.collect(0.25, together=TOGETHER))
                self.pulse(self.done, self.total, self.judge.slug)
            # Each batch was stored with the count before it: the last word is that all is done.
            self._fence()
        except Lost:
            raise
        except BaseException:
            unsent = [self.out.pop(key) for key in pool.drop_waiting()]
            self._store(chat.rest(pool, PATIENCE), quiet=True)
            self._give_back(unsent)
            raise
        finally:
            pool.close()
            if door:
                door.close()

    def _take_over(self) -> None:
        """What an earlier attempt left: its lost calls are booked as spent, its failed requests are open again."""
        with transaction.atomic():
            self._fence()
            self._book_lost()
            self.rows.filter(status="error").update(status="pending", failure="", reason="")
        by_pair = {(subject.conversation, subject.rival): subject for subject in self.subjects}
        self.total = self.rows.count()
        for row in self.rows.filter(status="pending").order_by("canary", "subject_id", "turn", "repeat", "pk"):
            subject = by_pair.get((row.subject_id, row.rival_id))
            if subject is not None:
                self.waiting.append(Open(row, subject, row.raw if row.calls else ""))
        self.done = self.total - len(self.waiting)

    def _book_lost(self) -> None:
        lost = self.rows.filter(reserved_usd__isnull=False)
        amount = lost.aggregate(all=Sum("reserved_usd"))["all"] or Decimal(0)
        budgets.settle(self.names, amount, amount)
        lost.update(cost_usd=Coalesce("cost_usd", Decimal(0)) + F("reserved_usd"), reserved_usd=None)

    def _asker(self) -> tuple[Callable[[Open], chat.Reply], chat.Door | None]:
        if self.judge.kind == Judge.Kind.BUILTIN:
            return self._by_rule, None
        door = chat.Door(endpoint=self.judge.endpoint, concurrency=self.concurrency)
        return partial(self._by_model, door), door

    def _by_rule(self, one: Open) -> chat.Reply:
        turn, question = one.row.turn, one.subject.question
        answers = plan.answers_of(one.subject, one.row)
        form = plan.FORMS[self.judge.mode]
        references = question.references or []
        text = rule.judge(question.turns[:turn], answers, references[:turn], form)
        return chat.Reply(text, "stop", None, None, 0.0, rule.SLUG)

    def _by_model(self, door: chat.Door, one: Open) -> chat.Reply:
        assert one.call is not None
        return door.complete(
            one.call.messages,
            temperature=self.judge.temperature,
            max_tokens=self.judge.max_tokens,
            schema=one.call.schema,
            key=one.row.call_key + ("-repair" if one.row.calls else ""),
        )

    def _send(self, pool: chat.Pool[int], ask: Callable[[Open], chat.Reply]) -> None:
        """Claims and pays the next calls, then sends them. Raises NoMoney when not even one can be paid."""
        batch = [self.waiting[place] for place in range(min(pool.free, BATCH, len(self.waiting)))]
        for one in batch:
            if one.call is None and self.judge.kind != Judge.Kind.BUILTIN:
                call = self._call(one)
                one.call = repair(call, one.reply) if one.row.calls else call
        while batch:
            try:
                self._claim(batch)
            except budgets.NoMoney:
                if len(batch) == 1:
                    if pool.outstanding:
                        return  # what is on the wire may give some of its reservation back
                    raise
                batch = batch[: len(batch) // 2]
                continue
            for one in batch:
                self.waiting.popleft()
                self.out[one.row.pk] = one
                pool.submit(one.row.pk, partial(ask, one))
            return

    def _call(self, one: Open) -> Call:
        return plan.call_of(self.judge, self.protocol, one.subject, one.row)

    def _claim(self, batch: Sequence[Open]) -> None:
        each = max(self._most(one) for one in batch)
        with transaction.atomic():
            self._fence()
            budgets.reserve(self.names, each * len(batch))
            keys = [one.row.pk for one in batch]
            claimed = Judgment.objects.filter(pk__in=keys, status="pending", reserved_usd=None).update(
                claim=self.claim.token, reserved_usd=each
            )
            if claimed != len(batch):
                raise Lost("another attempt has taken these judgments")
        for one in batch:
            one.reserved = each

    def _most(self, one: Open) -> Decimal:
        if one.call is None:
            return Decimal(0)
        text = "".join(message["content"] for message in one.call.messages)
        return prices.most(self.price, text, self.judge.max_tokens)

    def _store(self, came: Sequence[tuple[int, chat.Outcome]], *, quiet: bool = False) -> None:
        """Writes what has come and settles its money. Raises Lost, and ChildError unless `quiet`."""
        for first in range(0, len(came), BATCH):
            part = [(self.out.pop(key), outcome) for key, outcome in came[first : first + BATCH]]
            with transaction.atomic():
                self._fence()
                spent = sum((self._take(one, outcome) for one, outcome in part), Decimal(0))
                with connection.cursor() as cursor:
                    cursor.executemany(WRITE, [self._columns(one.row) for one, _ in part])
                budgets.settle(self.names, sum((one.reserved for one, _ in part), Decimal(0)), spent)
        for _, outcome in came:
            if isinstance(outcome, chat.Reply):
                self.breaker.answer()
            elif not quiet:
                self.breaker.failure(CallFailed(outcome.kind, outcome.message), self.total)

    def _columns(self, row: Judgment) -> tuple[Any, ...]:
        return (*(getattr(row, name) for name in COLUMNS), row.pk, self.claim.token)

    def _take(self, one: Open, outcome: chat.Outcome) -> Decimal:
        """Takes one outcome into its row; what it cost."""
        row = one.row
        if isinstance(outcome, chat.ChatError):
            # A request that ran out of time may have been answered, and then it was paid for.
            cost = one.reserved if outcome.kind == "endpoint_slow" else Decimal(0)
            row.status, row.failure, row.reason = "error", outcome.kind[:40], outcome.message[:500]
            self.done += 1
        else:
            known = prices.cost(self.price, outcome.prompt_tokens, outcome.completion_tokens)
            cost = one.reserved if known is None else known
            self._read(one, outcome)
        if self.price is not None:
            row.cost_usd = (row.cost_usd or Decimal(0)) + cost
        return cost

    def _read(self, one: Open, reply: chat.Reply) -> None:
        """Takes an answer in; where it can't be read, the repair goes to the head of the line."""
        row = one.row
        row.calls += 1
        row.raw = reply.text if row.calls == 1 else f"{one.reply}\n\n⟶ {reply.text}"
        row.prompt_tokens = _sum(row.prompt_tokens, reply.prompt_tokens)
        row.completion_tokens = _sum(row.completion_tokens, reply.completion_tokens)
        row.seconds = (row.seconds or 0.0) + reply.seconds
        row.served_model = reply.served_model
        found = parse(reply.text, plan.FORMS[self.judge.mode])
        if isinstance(found, Unparsable):
            if row.calls == 1:
                self.waiting.appendleft(Open(row, one.subject, reply.text))
                return
            row.status = "refused" if found.reason == "refusal" else "unparsable"
            row.failure = found.reason
        else:
            row.status, row.failure, row.reason = "done", "", found.explanation
            if isinstance(found, Score):
                row.score = found.value
            else:
                row.verdict = (found.swapped() if row.swapped else found).label
        self.done += 1

    def _give_back(self, unsent: Sequence[Open]) -> None:
        """Opens the calls again that were claimed and never sent, and those nobody waits for any more.

        Money of the former comes back; the latter may have been answered, so theirs is booked as spent.
        """
        with transaction.atomic():
            if not (unsent or self.out) or not self._holds():
                return
            left = list(self.out.values())
            keys = [one.row.pk for one in [*unsent, *left]]
            Judgment.objects.filter(pk__in=keys, claim=self.claim.token).update(reserved_usd=None)
            spent = sum((one.reserved for one in left), Decimal(0))
            budgets.settle(self.names, spent + sum((one.reserved for one in unsent), Decimal(0)), spent)

    def _fence(self) -> None:
        """Locks this attempt's run row, or learns that another attempt holds it. Raises Lost."""
        if not self._holds():
            raise Lost("another attempt has taken over")

    def _holds(self) -> bool:
        """Whether this attempt's token still holds; keeps its lease alive."""
        return runs.beat(self.claim, done=self.done, total=self.total)


def _sum(before: int | None, more: int | None) -> int | None:
    return more if before is None else before + (more or 0)
