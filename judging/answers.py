"""A multi-turn run is answered here: turn by turn, the second with the model's own first answer before it.

Every turn is stored as it comes, so that a killed attempt asks again only what has no answer. A failed request is a
status and is never graded (docs/judging.md).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import transaction

from judging import fidelity, prices
from judging.formats import Protocol
from judging.models import Answer, Question, QuestionSet
from judging.question_sets import protocol_of
from runners import judging_phase, runs
from runners.adapters import chat
from runners.child import environment
from runners.child.calling import Breaker, CallFailed
from runners.child.errors import ChildError
from runners.models import Conversation, EvaluationRun, Message, Price
from runners.supervise import Attempt, Failure, Lost, Pulse

CONCURRENCY = 32
# How long answers under way are waited for when an attempt must stop: they are paid for.
PATIENCE = 20.0


@dataclass
class Dialogue:
    """One question's conversation so far: the texts of the turns that were answered."""

    question: Question
    replies: list[str] = field(default_factory=list)
    conversation: Conversation | None = None
    answer: Answer | None = None

    @property
    def turn(self) -> int:
        """The next turn, 1-based."""
        return len(self.replies) + 1

    def messages(self) -> list[dict[str, str]]:
        """What is sent for the next turn."""
        sent = []
        for asked, replied in zip(self.question.turns, self.replies, strict=False):
            sent += [{"role": "user", "content": asked}, {"role": "assistant", "content": replied}]
        return [*sent, {"role": "user", "content": self.question.turns[len(self.replies)]}]


def execute(attempt: Attempt, pulse: Pulse) -> None:
    """One attempt at the answers of a multi-turn run; then it waits for its judges. Raises supervise's exceptions."""
    run = attempt.run
    question_set = QuestionSet.objects.get(suite=run.suite)
    try:
        door = _door(attempt, pulse)
    except chat.ChatError as error:
        raise Failure(error.kind, error.message, error.permanent) from error
    try:
        _Answering(attempt, pulse, question_set, door).go()
    except ChildError as error:
        # A server of our own that has died says why; the calls that it left can't.
        pulse.look()
        raise Failure(error.kind, error.message, error.permanent) from error
    finally:
        door.close()
    if not judging_phase.to_judging(attempt.claim):
        raise Lost("another attempt has taken over")


def _door(attempt: Attempt, pulse: Pulse) -> chat.Door:
    """The door to the run's model; weights without a server are served for as long as the run talks to them."""
    run = attempt.run
    at_once = run.settings.get("max_concurrency")
    if run.revision.lane != "gpu":
        door = chat.open_door(run.revision, int(at_once or CONCURRENCY))
        told = {**environment.describe(), "engine": "chat", "max_concurrency": door.concurrency}
        if not runs.note_environment(attempt.claim, {**told, "seed": run.settings.get("seed", 0)}):
            raise Lost("another attempt has taken over")
        return door
    assert attempt.session is not None
    told = attempt.session.serve(attempt, pulse)
    return chat.open_door(run.revision, int(at_once or told["concurrency"]), base_url=told["base_url"])


class _Answering:
    def __init__(self, attempt: Attempt, pulse: Pulse, question_set: QuestionSet, door: chat.Door) -> None:
        self.attempt, self.pulse, self.door = attempt, pulse, door
        self.run: EvaluationRun = attempt.run
        self.is_hosted = self.run.revision.lane == "gpu"
        self.slug, self.protocol = question_set.slug, protocol_of(question_set)
        questions = list(question_set.questions.all()[: self.run.settings.get("limit")])
        self.total = sum(len(question.turns) for question in questions)
        self.waiting = deque(one for one in _resume(self.run, questions) if one.turn <= len(one.question.turns))
        self.done = self.total - sum(len(one.question.turns) - len(one.replies) for one in self.waiting)
        self.asked = self.total - self.done
        self.breaker = Breaker(self.run.revision.slug)
        served = door.endpoint.served_name if door.endpoint else ""
        self.price: Price | None = prices.price_of(served)

    def go(self) -> None:
        """Asks every open turn. Raises what the pulse raises, after storing the answers under way."""
        pool: chat.Pool[Any] = chat.Pool(self.door.concurrency)
        talking: dict[int, Dialogue] = {}
        try:
            while self.waiting or pool.outstanding:
                while self.waiting and pool.free:
                    one = self.waiting.popleft()
                    talking[one.question.pk] = one
                    pool.submit(one.question.pk, self._call(one))
                self._take(talking, pool.collect(0.5))
                self.pulse(self.done, self.total, self.slug)
        except Lost:
            raise
        except BaseException:
            pool.drop_waiting()
            self._take(talking, chat.rest(pool, PATIENCE), further=False)
            raise
        finally:
            pool.close()

    def _call(self, one: Dialogue) -> Any:
        return partial(
            self.door.complete,
            one.messages(),
            temperature=self.protocol.temperature(one.question.category),
            max_tokens=self.protocol.max_tokens,
            seed=self.run.settings.get("seed", 0),
            key=f"answer-{self.run.pk}-{one.question.pk}-{one.turn}",
        )

    def _take(
        self, talking: dict[int, Dialogue], came: Iterable[tuple[int, chat.Outcome]], *, further: bool = True
    ) -> None:
        """Stores what has come in one transaction and puts second turns in line. Raises Lost, ChildError."""
        came = list(came)
        if not came:
            return
        # A server of this attempt's own that cannot be reached has died: that is no answer, and no failure of one.
        gone = [key for key, outcome in came if self.is_hosted and _is_gone(outcome)]
        failed = []
        with transaction.atomic():
            if not runs.beat(self.attempt.claim, done=self.done, total=self.total):
                raise Lost("another attempt has taken over")
            for key, outcome in came:
                if key in gone:
                    continue
                one = talking.pop(key)
                if isinstance(outcome, chat.Reply):
                    store_reply(self.run, self.slug, self.protocol, one, outcome, self.price)
                    self.done += 1
                    if one.turn <= len(one.question.turns) and further:
                        self.waiting.appendleft(one)
                else:
                    rest = len(one.question.turns) - len(one.replies)
                    self.done += rest
                    if outcome.kind != "not_recorded":
                        store_failure(self.run, self.slug, self.protocol, one, outcome)
                        failed.append(outcome)
        for _ in range(len(came) - len(failed) - len(gone)):
            self.breaker.answer()
        if gone:
            raise ChildError("endpoint_down", "The server that was started for this run has gone.", permanent=False)
        for error in failed:
            self.breaker.failure(CallFailed(error.kind, error.message), self.asked)


def _is_gone(outcome: chat.Outcome) -> bool:
    return isinstance(outcome, chat.ChatError) and outcome.kind == "endpoint_down"


def store_reply(
    run: EvaluationRun, slug: str, protocol: Protocol, one: Dialogue, reply: chat.Reply, price: Price | None
) -> None:
    """The next turn of a conversation: what was asked, what came, and the figures of its language."""
    status = Message.Status.OK
    if reply.is_truncated:
        status = Message.Status.TRUNCATED
    elif not reply.text.strip():
        status = Message.Status.EMPTY
    _store(
        run,
        slug,
        protocol,
        one,
        text=reply.text,
        status=status,
        finish_reason=reply.finish_reason,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        seconds=reply.seconds,
        cost_usd=prices.cost(price, reply.prompt_tokens, reply.completion_tokens),
        served_model=reply.served_model,
        system_fingerprint=reply.system_fingerprint,
    )
    assert one.answer is not None
    prompt = "\n".join(one.question.turns[: one.turn])
    measured = fidelity.of_answer(reply.text, prompt) if reply.text.strip() else None
    one.answer.fidelity = [*one.answer.fidelity, measured]
    one.answer.save(update_fields=["fidelity"])
    one.replies.append(reply.text)


def store_failure(run: EvaluationRun, slug: str, protocol: Protocol, one: Dialogue, error: chat.ChatError) -> None:
    """The next turn failed, and with it every later one: nothing of it can be graded."""
    failed = Dialogue(one.question, list(one.replies), one.conversation, one.answer)
    kind, text = error.kind, error.message
    while failed.turn <= len(one.question.turns):
        _store(run, slug, protocol, failed, text=text[:500], status=Message.Status.ERROR, error_kind=kind)
        failed.replies.append("")
        kind, text = "no_first_turn", ""


def _store(run: EvaluationRun, slug: str, protocol: Protocol, one: Dialogue, **message: Any) -> None:
    question, turn = one.question, one.turn
    if one.conversation is None:
        one.conversation = Conversation.objects.create(
            revision=run.revision,
            run=run,
            item=f"{slug}/{question.key}",
            category=question.category,
            mode="default",
            is_recorded=True,
            settings={"temperature": protocol.temperature(question.category), "max_tokens": protocol.max_tokens},
        )
        quality = run.revision.api_name if run.revision.slug in QUALITIES else ""
        one.answer = Answer.objects.create(
            question=question, revision=run.revision, conversation=one.conversation, run=run, quality=quality
        )
    position = 2 * (turn - 1)
    asked = Message(position=position, role=Message.Role.USER, text=question.turns[turn - 1])
    told = Message(position=position + 1, role=Message.Role.ASSISTANT, **message)
    for one_message in (asked, told):
        one_message.conversation, one_message.turn = one.conversation, turn
    Message.objects.bulk_create([asked, told])


QUALITIES = frozenset(f"reference/{name}" for name in ("complete", "terse", "wrong", "english"))


def _resume(run: EvaluationRun, questions: list[Question]) -> list[Dialogue]:
    """The conversations as an earlier attempt left them; its failed turns are asked again."""
    failed = Message.objects.filter(conversation__run=run, status=Message.Status.ERROR).values("conversation", "turn")
    for row in failed:
        Message.objects.filter(conversation=row["conversation"], turn=row["turn"]).delete()
    known: dict[int, Dialogue] = {}
    answers = Answer.objects.filter(run=run).select_related("conversation")
    replies: dict[int, list[str]] = {}
    said = Message.objects.filter(conversation__run=run, role=Message.Role.ASSISTANT).order_by("position")
    for conversation, text in said.values_list("conversation_id", "text"):
        replies.setdefault(conversation, []).append(text)
    by_question = {answer.question_id: answer for answer in answers}
    for question in questions:
        answer = by_question.get(question.pk)
        if answer is None:
            known[question.pk] = Dialogue(question)
            continue
        told = replies.get(answer.conversation_id, [])
        answer.fidelity = answer.fidelity[: len(told)]
        known[question.pk] = Dialogue(question, told, answer.conversation, answer)
    return list(known.values())
