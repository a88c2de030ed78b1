"""What the database knows of a stream: who may read it, once; how it ended. The relay itself never touches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from arena import moderation, screening
from arena.battles import sides_of
from arena.evidence import findings
from arena.models import Battle
from arena.relay import Side
from runners.adapters.chat_stream import Ending
from runners.models import Conversation, Endpoint, Message, Price


@dataclass(frozen=True)
class Asked:
    """One side of a turn: whom to ask what. `had_failed`: an earlier try of this turn left its mark."""

    conversation: Conversation
    endpoint: Endpoint
    messages: list[dict[str, str]]
    turn: int
    had_failed: bool

    @property
    def temperature(self) -> float:
        return float(self.conversation.settings["temperature"])

    @property
    def max_tokens(self) -> int:
        return int(self.conversation.settings["max_tokens"])


@dataclass(frozen=True)
class Turn:
    """A stream that may be read now: `status` is 200, or 404 (none of this session's) or 409 (read before)."""

    status: int
    battle: Battle | None = None
    sides: list[Asked] = field(default_factory=list)


def take(stream_key: str, voter_key: str) -> Turn:
    """Takes the stream of a turn; the first to ask gets it, and only in the session that opened the battle."""
    related = [f"{side}__revision__{what}" for side in ("left", "right") for what in ("endpoint", "language_model")]
    battles = Battle.objects.select_related("voter", *related)
    battle = battles.filter(stream_key=stream_key).first() if stream_key else None
    if battle is None or not voter_key or battle.voter.key != voter_key:
        return Turn(404)
    mine = Battle.objects.filter(pk=battle.pk, stream_key=stream_key, status=Battle.Status.CREATED)
    if not mine.update(status=Battle.Status.STREAMING):
        return Turn(409)
    sides = sides_of(battle)
    said = list(Message.objects.filter(conversation__in=sides).order_by("position"))
    return Turn(200, battle, [_asked(side, [one for one in said if one.conversation_id == side.pk]) for side in sides])


def _asked(side: Conversation, said: list[Message]) -> Asked:
    endpoint = side.revision.endpoint
    assert endpoint is not None
    good = [one for one in said if one.status != Message.Status.ERROR]
    sent = [{"role": one.role, "content": one.text} for one in good]
    return Asked(side, endpoint, sent, said[-1].turn, had_failed=len(good) < len(said))


def finish(turn: Turn, sides: Sequence[Side]) -> bool:
    """Stores both answers and opens the vote; False where the battle was ended meanwhile or may not be shown."""
    battle = turn.battle
    assert battle is not None
    if moderation.refused([side.text for side in sides]):
        fail(turn, "moderated")
        return False
    found = _findings(turn, sides)
    with transaction.atomic():
        streaming = Battle.objects.filter(pk=battle.pk, status=Battle.Status.STREAMING)
        if not streaming.update(status=Battle.Status.COMPLETE, completed_at=timezone.now(), findings=found):
            return False
        _forget_failures(turn.sides)
        Message.objects.bulk_create(_message(*pair) for pair in zip(turn.sides, sides, strict=True))
    return True


def _findings(turn: Turn, sides: Sequence[Side]) -> list[list[str]]:
    """What the answers are seen to be, those of earlier turns with them."""
    answers = []
    for asked, side in zip(turn.sides, sides, strict=True):
        earlier = [one["content"] for one in asked.messages if one["role"] == Message.Role.ASSISTANT]
        answers.append("\n".join([*earlier, side.text]))
    prompts = [one["content"] for one in turn.sides[0].messages if one["role"] == Message.Role.USER]
    found = findings(answers, prompts, [asked.conversation.revision.language_model for asked in turn.sides])
    if any(not side.text.strip() for side in sides) and not any(rule == screening.ERROR for rule, _ in found):
        found.append([screening.ERROR, "an answer is an error or empty"])
    return found


def _forget_failures(sides: Sequence[Asked]) -> None:
    """The answer of a broken try is replaced."""
    failed = [asked.conversation for asked in sides if asked.had_failed]
    if failed:
        Message.objects.filter(conversation__in=failed, status=Message.Status.ERROR).delete()


def _message(asked: Asked, side: Side) -> Message:
    ending = side.ending if isinstance(side.ending, Ending) else Ending("")
    status = Message.Status.TRUNCATED if ending.finish_reason == "length" else Message.Status.OK
    return Message(
        conversation=asked.conversation,
        position=2 * asked.turn - 1,
        turn=asked.turn,
        role=Message.Role.ASSISTANT,
        text=side.text,
        status=status if side.text.strip() else Message.Status.EMPTY,
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
    if ending.prompt_tokens is None or ending.completion_tokens is None:
        return None
    price = price_of(served_name)
    if price is None:
        return None
    return (price.input_usd * ending.prompt_tokens + price.output_usd * ending.completion_tokens) / 1_000_000


def price_of(served_name: str) -> Price | None:
    """The price that holds today; None where none is known."""
    known = Price.objects.filter(served_name=served_name, valid_from__lte=timezone.localdate())
    return known.order_by("-valid_from").first()


def fail(turn: Turn, kind: str, side: int | None = None) -> None:
    """The stream broke off: nothing of it can be voted on. The side that failed is remembered against its server."""
    battle = turn.battle
    assert battle is not None
    with transaction.atomic():
        streaming = Battle.objects.filter(pk=battle.pk, status=Battle.Status.STREAMING)
        if not streaming.update(status=Battle.Status.ERROR, error_kind=kind[:40]):
            return
        _forget_failures(turn.sides)
        if side is not None:
            asked = turn.sides[side]
            Message.objects.create(
                conversation=asked.conversation,
                position=2 * asked.turn - 1,
                turn=asked.turn,
                role=Message.Role.ASSISTANT,
                status=Message.Status.ERROR,
                error_kind=kind[:40],
            )
