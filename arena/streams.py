"""What the database knows of a stream: who may read it, once; how it ended. The relay itself never touches it.

Verbs take many at once: what arrives together is written together (`arena.gathering`).
"""

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
from runners.models import Conversation, Endpoint, Message, ModelRevision, Price


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


def take(wanted: Sequence[tuple[str, str]]) -> list[Turn]:
    """Takes the streams of turns, each a (stream key, voter key), in one transaction.

    The first to ask gets it, and only in the session that opened the battle.
    """
    keys = {stream_key for stream_key, voter_key in wanted if stream_key and voter_key}
    with transaction.atomic():
        rows = Battle.objects.select_for_update(of=("self",)).select_related("voter", "left", "right")
        battles = {one.stream_key: one for one in rows.filter(stream_key__in=keys).order_by("pk")} if keys else {}
        turns = [_turn(battles.get(stream_key), voter_key) for stream_key, voter_key in wanted]
        taken = [turn.battle for turn in turns if turn.battle is not None]
        Battle.objects.filter(pk__in=[battle.pk for battle in taken]).update(status=Battle.Status.STREAMING)
    _fill([turn for turn in turns if turn.battle is not None])
    return turns


def _turn(battle: Battle | None, voter_key: str) -> Turn:
    if battle is None or not voter_key or battle.voter.key != voter_key:
        return Turn(404)
    if battle.status != Battle.Status.CREATED:
        return Turn(409)
    # The next who asks for it in the same transaction comes too late.
    battle.status = Battle.Status.STREAMING
    return Turn(200, battle)


def _fill(turns: Sequence[Turn]) -> None:
    """What each side is asked, of all turns at once."""
    sides = [side for turn in turns for side in sides_of(_battle(turn))]
    revisions = ModelRevision.objects.select_related("endpoint", "language_model").in_bulk(
        {side.revision_id for side in sides}
    )
    said: dict[int, list[Message]] = {side.pk: [] for side in sides}
    for message in Message.objects.filter(conversation__in=said).order_by("position"):
        said[message.conversation_id].append(message)
    for turn in turns:
        for side in sides_of(_battle(turn)):
            side.revision = revisions[side.revision_id]
            turn.sides.append(_asked(side, said[side.pk]))


def _asked(side: Conversation, said: list[Message]) -> Asked:
    endpoint = side.revision.endpoint
    assert endpoint is not None
    good = [one for one in said if one.status != Message.Status.ERROR]
    sent = [{"role": one.role, "content": one.text} for one in good]
    return Asked(side, endpoint, sent, said[-1].turn, had_failed=len(good) < len(said))


@dataclass(frozen=True)
class Answered:
    """A turn whose sides have both ended; `findings` as they are kept with the battle."""

    turn: Turn
    sides: Sequence[Side]
    findings: list[list[str]]


def review(turn: Turn, sides: Sequence[Side]) -> Answered | None:
    """Looks at both answers before they are stored; None where moderation refused them, and the battle has ended."""
    if moderation.refused([side.text for side in sides]):
        fail(turn, "moderated")
        return None
    return Answered(turn, sides, _findings(turn, sides))


def finish(answered: Sequence[Answered]) -> list[bool]:
    """Stores both answers of battles and opens their votes, in one transaction; False for a battle ended meanwhile."""
    by_battle = {_battle(one.turn).pk: one for one in answered}
    with transaction.atomic():
        streaming = Battle.objects.select_for_update().filter(pk__in=by_battle, status=Battle.Status.STREAMING)
        open_still = set(streaming.order_by("pk").values_list("pk", flat=True))
        kept = [one for pk, one in by_battle.items() if pk in open_still]
        ended = {"status": Battle.Status.COMPLETE, "completed_at": timezone.now()}
        clean = [_battle(one.turn).pk for one in kept if not one.findings]
        Battle.objects.filter(pk__in=clean).update(**ended, findings=[])
        for one in kept:
            if one.findings:
                Battle.objects.filter(pk=_battle(one.turn).pk).update(**ended, findings=one.findings)
        _forget_failures([asked for one in kept for asked in one.turn.sides])
        prices: dict[str, Price | None] = {}
        Message.objects.bulk_create(
            _message(*pair, prices) for one in kept for pair in zip(one.turn.sides, one.sides, strict=True)
        )
    return [_battle(one.turn).pk in open_still for one in answered]


def _battle(turn: Turn) -> Battle:
    assert turn.battle is not None
    return turn.battle


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


def _message(asked: Asked, side: Side, prices: dict[str, Price | None]) -> Message:
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
        cost_usd=_cost(asked.endpoint.served_name, ending, prices),
        served_model=ending.served_model,
        system_fingerprint=ending.system_fingerprint,
    )


def _cost(served_name: str, ending: Ending, prices: dict[str, Price | None]) -> Decimal | None:
    if ending.prompt_tokens is None or ending.completion_tokens is None:
        return None
    if served_name not in prices:
        prices[served_name] = price_of(served_name)
    if (price := prices[served_name]) is None:
        return None
    return (price.input_usd * ending.prompt_tokens + price.output_usd * ending.completion_tokens) / 1_000_000


def price_of(served_name: str) -> Price | None:
    """The price that holds today; None where none is known."""
    known = Price.objects.filter(served_name=served_name, valid_from__lte=timezone.localdate())
    return known.order_by("-valid_from").first()


def fail(turn: Turn, kind: str, side: int | None = None) -> None:
    """The stream broke off: nothing of it can be voted on. The side that failed is remembered against its server."""
    with transaction.atomic():
        streaming = Battle.objects.filter(pk=_battle(turn).pk, status=Battle.Status.STREAMING)
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
