"""What the database knows of a stream: who may read it, once; how it ended. The relay itself never touches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from arena import moderation
from arena.battles import sides_of
from arena.evidence import findings
from arena.models import Battle
from arena.relay import Side
from runners.adapters.chat_stream import Ending
from runners.models import Conversation, Endpoint, Message, Price


@dataclass(frozen=True)
class Asked:
    """One side of a turn: whom to ask what."""

    conversation: Conversation
    endpoint: Endpoint
    messages: list[dict[str, str]]
    temperature: float
    max_tokens: int


@dataclass(frozen=True)
class Turn:
    """A stream that may be read now: `status` is 200, or 404 (none of this session's) or 409 (read before)."""

    status: int
    battle: Battle | None = None
    sides: list[Asked] = field(default_factory=list)


def take(stream_key: str, voter_key: str) -> Turn:
    """Takes the stream of a turn; the first to ask gets it, and only in the session that opened the battle."""
    battles = Battle.objects.select_related("voter", "left__revision__endpoint", "right__revision__endpoint")
    battle = battles.filter(stream_key=stream_key).first() if stream_key else None
    if battle is None or not voter_key or battle.voter.key != voter_key:
        return Turn(404)
    mine = Battle.objects.filter(pk=battle.pk, stream_key=stream_key, status=Battle.Status.CREATED)
    if not mine.update(status=Battle.Status.STREAMING):
        return Turn(409)
    return Turn(200, battle, [_asked(side) for side in sides_of(battle)])


def _asked(side: Conversation) -> Asked:
    said = side.messages.exclude(status=Message.Status.ERROR).order_by("position")
    endpoint = side.revision.endpoint
    assert endpoint is not None
    return Asked(
        side,
        endpoint,
        [{"role": one.role, "content": one.text} for one in said],
        side.settings["temperature"],
        side.settings["max_tokens"],
    )


def finish(turn: Turn, sides: Sequence[Side]) -> bool:
    """Stores both answers and opens the vote; False where the battle was ended meanwhile or may not be shown."""
    battle = turn.battle
    assert battle is not None
    if moderation.refused([side.text for side in sides]):
        fail(turn, "moderated")
        return False
    with transaction.atomic():
        for asked, side in zip(turn.sides, sides, strict=True):
            _store(asked, side)
        found = findings([asked.conversation for asked in turn.sides])
        streaming = Battle.objects.filter(pk=battle.pk, status=Battle.Status.STREAMING)
        done = streaming.update(status=Battle.Status.COMPLETE, completed_at=timezone.now(), findings=found)
        if not done:
            transaction.set_rollback(True)
    return bool(done)


def _store(asked: Asked, side: Side) -> None:
    ending = side.ending if isinstance(side.ending, Ending) else Ending("")
    last = asked.conversation.messages.order_by("-position")[0]
    status = Message.Status.TRUNCATED if ending.finish_reason == "length" else Message.Status.OK
    if not side.text.strip():
        status = Message.Status.EMPTY
    # The answer of a broken try is replaced.
    asked.conversation.messages.filter(status=Message.Status.ERROR, turn=last.turn).delete()
    Message.objects.create(
        conversation=asked.conversation,
        position=2 * last.turn - 1,
        turn=last.turn,
        role=Message.Role.ASSISTANT,
        text=side.text,
        status=status,
        finish_reason=ending.finish_reason,
        prompt_tokens=ending.prompt_tokens,
        completion_tokens=ending.completion_tokens,
        seconds=side.seconds,
        first_token_seconds=side.first_seconds,
        cost_usd=_cost(asked.endpoint.served_name, ending),
        served_model=ending.served_model,
        system_fingerprint=ending.system_fingerprint,
    )


def _cost(served_name: str, ending: Ending) -> Decimal | None:
    price = price_of(served_name)
    if price is None or ending.prompt_tokens is None or ending.completion_tokens is None:
        return None
    return (price.input_usd * ending.prompt_tokens + price.output_usd * ending.completion_tokens) / 1_000_000


def price_of(served_name: str) -> Price | None:
    """The price that holds today; None where none is known."""
    today = timezone.localdate()
    known = Price.objects.filter(served_name=served_name, valid_from__lte=today)
    return known.order_by("-valid_from").first()


def fail(turn: Turn, kind: str, side: int | None = None) -> None:
    """The stream broke off: nothing of it can be voted on. The side that failed is remembered against its server."""
    battle = turn.battle
    assert battle is not None
    with transaction.atomic():
        streaming = Battle.objects.filter(pk=battle.pk, status=Battle.Status.STREAMING)
        if not streaming.update(status=Battle.Status.ERROR, error_kind=kind[:40]):
            return
        if side is not None:
            conversation = turn.sides[side].conversation
            last = conversation.messages.order_by("-position")[0]
            conversation.messages.filter(status=Message.Status.ERROR, turn=last.turn).delete()
            Message.objects.create(
                conversation=conversation,
                position=2 * last.turn - 1,
                turn=last.turn,
                role=Message.Role.ASSISTANT,
                status=Message.Status.ERROR,
                error_kind=kind[:40],
            )
