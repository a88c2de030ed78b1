"""One vote per battle, and the database decides which: a conditional UPDATE, then the row, in one transaction.

Whoever sends the same vote again gets the vote that is stored, not an error: an answer may have been lost on its way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from arena import roster, screening, tallies
from arena.battles import sides_of
from arena.models import Battle, Exclusion, Vote, Voter, VoteSource
from arena.refusal import Refused
from arena.screening import Cast, Finding, Limits
from arena.style import style_of
from runners.models import Message

REASONS: Final = ("useful", "correct", "creative", "format", "inaccurate", "shallow", "ignored", "awkward")
ACTOR: Final = "screening"
_REMEMBER: Final = 600.0
_prompt_limit: list[tuple[float, int]] = []


@dataclass(frozen=True)
class Outcome:
    """The stored vote, whether this call stored it, and the rules it fell under when it was cast."""

    vote: Vote
    is_new: bool
    rules: tuple[str, ...]


def cast_vote(
    key: str,
    voter: Voter | None,
    winner: str,
    *,
    reasons: Sequence[str] = (),
    comment: str = "",
    now: datetime | None = None,
) -> Outcome:
    """Stores the vote of a complete blind battle of this voter. Raises Refused, with nothing stored."""
    if winner not in Vote.Winner.values:
        raise Refused("no_winner", _("Choose A, B, about the same, or both bad."))
    now = now or timezone.now()
    if voter is None:
        raise _unknown()
    with transaction.atomic():
        won = Battle.objects.filter(
            key=key, voter=voter, mode=Battle.Mode.BLIND, status=Battle.Status.COMPLETE, deleted_at=None
        ).update(status=Battle.Status.VOTED)
        if won:
            return _store(key, winner, reasons, comment, now)
    return _stored(key, voter)


def _store(key: str, winner: str, reasons: Sequence[str], comment: str, now: datetime) -> Outcome:
    battle = Battle.objects.select_related("left", "right", "left_revision", "right_revision", "voter").get(key=key)
    source = roster.source()
    messages = list(Message.objects.filter(conversation__in=sides_of(battle)))
    seconds = (now - (battle.completed_at or battle.created_at)).total_seconds()
    found = _screened(battle, source, seconds, now)
    assert battle.right_revision is not None and battle.right_id is not None
    vote = Vote.objects.create(
        source=source,
        battle=battle,
        external_id=battle.key,
        left=battle.left_revision,
        right=battle.right_revision,
        winner=winner,
        voter=battle.voter,
        item=battle.item,
        turn=max((message.turn for message in messages), default=1),
        category=battle.category,
        language=battle.language,
        style=style_of(_answers(messages, battle.left_id), _answers(messages, battle.right_id)),
        reasons=[reason for reason in dict.fromkeys(reasons) if reason in REASONS],
        comment=comment.replace("\x00", "").strip()[:2000],
        dwell_seconds=round(seconds, 2),
        cast_at=now,
    )
    if found:
        Exclusion.objects.bulk_create(
            Exclusion(vote=vote, rule=one.rule, detail=one.detail, actor=ACTOR, created_at=now) for one in found
        )
    else:
        tallies.count_vote(vote)
    return Outcome(vote, True, tuple(one.rule for one in found))


def _answers(messages: Sequence[Message], conversation: int) -> list[tuple[str, int | None]]:
    said = [one for one in messages if one.conversation_id == conversation and one.role == Message.Role.ASSISTANT]
    return [(one.text, one.completion_tokens) for one in said]


def _stored(key: str, voter: Voter) -> Outcome:
    """What to answer where nothing was changed: the vote that is there, or why there can be none."""
    battle = Battle.objects.filter(key=key, voter=voter).first()
    if battle is None:
        raise _unknown()
    vote = Vote.objects.filter(battle=battle).first()
    if vote is not None:
        return Outcome(vote, False, rules_of(vote))
    if battle.mode != Battle.Mode.BLIND:
        raise Refused("not_ranked", _("A chat with models you chose is not voted on."), 409)
    if battle.deleted_at is not None:
        raise Refused("deleted", _("This conversation was deleted."), 410)
    if battle.status == Battle.Status.ERROR:
        raise Refused("broken", _("This battle broke off and cannot be voted on; try again or open a new one."), 409)
    raise Refused("not_complete", _("Both answers have to be complete before you vote."), 409)


def _unknown() -> Refused:
    return Refused("unknown", _("There is no such battle in this session; open a new one."), 404)


def rules_of(vote: Vote) -> tuple[str, ...]:
    """The rules that keep a vote out of the count now."""
    return tuple(vote.exclusions.filter(lifted_at=None).order_by("pk").values_list("rule", flat=True))


def _screened(battle: Battle, source: VoteSource, seconds: float, now: datetime) -> list[Finding]:
    """The rules the vote falls under: what was found with the answers, and what the counts of the day say."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    today = Vote.objects.filter(source=source, cast_at__gte=day)
    of_voter = list(today.filter(voter=battle.voter_id).values_list("left__slug", "right__slug"))
    on_model: dict[str, int] = {}
    here = {battle.left_revision.slug, battle.right_revision.slug if battle.right_revision else ""}
    for pair in of_voter:
        for slug in here & set(pair):
            on_model[slug] = on_model.get(slug, 0) + 1
    network = today.filter(battle__network_hash=battle.network_hash).count() if battle.network_hash else 0
    live = battle.kind == Battle.Kind.LIVE and battle.prompt_hash
    cast = Cast(
        answers=(),
        prompts=(),
        seconds=seconds,
        age_seconds=(now - battle.created_at).total_seconds(),
        votes_of_voter=len(of_voter),
        votes_of_voter_on=on_model,
        votes_of_network=network,
        same_prompt=Vote.objects.filter(battle__prompt_hash=battle.prompt_hash).count() if live else 0,
        prompt_limit=_limit_of_prompts() if live else None,
        is_repeat=battle.repeat_of_id is not None,
    )
    found = [Finding(rule, detail) for rule, detail in battle.findings]
    found += screening.screen(cast, limits(roster.size(battle.kind)))
    if settings.ARENA_QUARANTINE_SECONDS > 0:
        hours = settings.ARENA_QUARANTINE_SECONDS / 3600
        found.append(Finding(screening.QUARANTINE, f"new votes wait {hours:g} h"))
    return found


def limits(models: int) -> Limits:
    """The limits of this site for an arena of so many models."""
    return Limits(min_seconds=settings.ARENA_MIN_SECONDS).for_models(models)


def _limit_of_prompts() -> int:
    """The 99.9 % quantile of votes per prompt, looked up every ten minutes."""
    if _prompt_limit and time.monotonic() - _prompt_limit[0][0] < _REMEMBER:
        return _prompt_limit[0][1]
    voted = Battle.objects.filter(kind=Battle.Kind.LIVE, status=Battle.Status.VOTED).exclude(prompt_hash="")
    counts = list(voted.order_by().values("prompt_hash").annotate(n=Count("pk")).values_list("n", flat=True))
    _prompt_limit[:] = [(time.monotonic(), screening.over_represented(counts))]
    return _prompt_limit[0][1]


def agree(vote: Vote, agrees: bool) -> bool:
    """Whether the voter agrees with the judge, said once after the reveal; False where it was said before."""
    return bool(Vote.objects.filter(pk=vote.pk, agrees_with_judge=None).update(agrees_with_judge=agrees))


def release_quarantine(now: datetime | None = None) -> int:
    """Lets votes that have waited long enough count; how many."""
    due = (now or timezone.now()) - timedelta(seconds=settings.ARENA_QUARANTINE_SECONDS)
    waiting = Exclusion.objects.filter(rule=screening.QUARANTINE, lifted_at=None, created_at__lte=due)
    return tallies.lift(waiting.values_list("pk", flat=True), actor=ACTOR)
