"""One vote per battle, and the database decides which: under a lock of its row, the vote with it in one transaction.

Whoever sends the same vote again gets the vote that is stored, not an error: an answer may have been lost on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeGuard

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from arena import roster, screening, tallies
from arena.day import Day
from arena.models import Battle, Exclusion, Vote, Voter, VoteSource
from arena.refusal import Refused
from arena.screening import Cast, Finding, Limits
from arena.style import style_of
from runners.models import Message

REASONS: Final = ("useful", "correct", "creative", "format", "inaccurate", "shallow", "ignored", "awkward")
ACTOR: Final = "screening"


@dataclass(frozen=True)
class Outcome:
    """The stored vote, whether this call stored it, and the rules it fell under when it was cast."""

    vote: Vote
    is_new: bool
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Ballot:
    """What somebody says about a battle: its key, the key of the voter of the session, the winner, and why."""

    key: str
    voter_key: str
    winner: str
    reasons: Sequence[str] = ()
    comment: str = ""


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
    outcome = cast_votes([Ballot(key, voter.key if voter else "", winner, reasons, comment)], now)[0]
    if isinstance(outcome, Refused):
        raise outcome
    return outcome


def cast_votes(ballots: Sequence[Ballot], now: datetime | None = None) -> list[Outcome | Refused]:
    """Stores votes that came together, in one transaction; of each what is stored now, or why nothing is."""
    now = now or timezone.now()
    with transaction.atomic():
        rows = Battle.objects.select_for_update(of=("self",)).filter(key__in={one.key for one in ballots})
        related = ("voter", "left_revision", "right_revision")
        battles = {one.key: one for one in rows.select_related(*related).order_by("pk")}
        chosen: dict[str, Ballot] = {}
        for ballot in ballots:
            if ballot.key not in chosen and _is_open(battles.get(ballot.key), ballot):
                chosen[ballot.key] = ballot
        Battle.objects.filter(pk__in=[battles[key].pk for key in chosen]).update(status=Battle.Status.VOTED)
        made = _store([(battles[key], ballot) for key, ballot in chosen.items()], now) if chosen else {}
        known = _known([battle.pk for key, battle in battles.items() if key not in made])
        outcomes: list[Outcome | Refused] = []
        for ballot in ballots:
            battle = battles.get(ballot.key)
            if chosen.get(ballot.key) is ballot:
                outcomes.append(made[ballot.key])
            elif refused := _refused(battle, ballot, battle is not None and (battle.pk in known or ballot.key in made)):
                outcomes.append(refused)
            else:
                assert battle is not None
                outcomes.append(known[battle.pk] if battle.pk in known else replace(made[ballot.key], is_new=False))
    return outcomes


def _is_mine(battle: Battle | None, ballot: Ballot) -> TypeGuard[Battle]:
    return battle is not None and bool(ballot.voter_key) and battle.voter.key == ballot.voter_key


def _is_open(battle: Battle | None, ballot: Ballot) -> bool:
    return (
        ballot.winner in Vote.Winner.values
        and _is_mine(battle, ballot)
        and (battle.mode, battle.status) == (Battle.Mode.BLIND, Battle.Status.COMPLETE)
        and battle.deleted_at is None
    )


def _refused(battle: Battle | None, ballot: Ballot, is_stored: bool) -> Refused | None:
    """Why there is no vote to tell of; None where one is stored."""
    if ballot.winner not in Vote.Winner.values:
        return Refused("no_winner", _("Choose A, B, about the same, or both bad."))
    if not _is_mine(battle, ballot):
        return Refused("unknown", _("There is no such battle in this session; open a new one."), 404)
    if is_stored:
        return None
    if battle.mode != Battle.Mode.BLIND:
        return Refused("not_ranked", _("A chat with models you chose is not voted on."), 409)
    if battle.deleted_at is not None:
        return Refused("deleted", _("This conversation was deleted."), 410)
    if battle.status == Battle.Status.ERROR:
        return Refused("broken", _("This battle broke off and cannot be voted on; try again or open a new one."), 409)
    return Refused("not_complete", _("Both answers have to be complete before you vote."), 409)


def _known(battles: Sequence[int]) -> dict[int, Outcome]:
    """The votes that battles (ids) have already."""
    stored = Vote.objects.filter(battle__in=battles).select_related("left", "right") if battles else ()
    votes = {vote.pk: vote for vote in stored}
    rules: dict[int, list[str]] = {pk: [] for pk in votes}
    if votes:
        active = Exclusion.objects.filter(vote__in=votes, lifted_at=None).order_by("pk")
        for pk, rule in active.values_list("vote", "rule"):
            rules[pk].append(rule)
    return {int(vote.battle_id or 0): Outcome(vote, False, tuple(rules[pk])) for pk, vote in votes.items()}


def _store(wanted: Sequence[tuple[Battle, Ballot]], now: datetime) -> dict[str, Outcome]:
    source = roster.source()
    sides = [side for battle, _ballot in wanted for side in (battle.left_id, battle.right_id)]
    messages: dict[int, list[Message]] = {side: [] for side in sides if side is not None}
    for message in Message.objects.filter(conversation__in=messages).order_by("position"):
        messages[message.conversation_id].append(message)
    day = Day([battle for battle, _ballot in wanted], source, now)
    votes, found = [], []
    for battle, ballot in wanted:
        seconds = (now - (battle.completed_at or battle.created_at)).total_seconds()
        found.append(_screened(battle, day.cast(battle, seconds)))
        day.add(battle)
        votes.append(_vote(battle, ballot, source, messages, seconds, now))
    Vote.objects.bulk_create(votes)
    Exclusion.objects.bulk_create(
        Exclusion(vote=vote, rule=one.rule, detail=one.detail, actor=ACTOR, created_at=now)
        for vote, rules in zip(votes, found, strict=True)
        for one in rules
    )
    tallies.count_votes([vote for vote, rules in zip(votes, found, strict=True) if not rules])
    outcomes = [Outcome(vote, True, tuple(o.rule for o in rules)) for vote, rules in zip(votes, found, strict=True)]
    return {ballot.key: outcome for (_battle, ballot), outcome in zip(wanted, outcomes, strict=True)}


def _vote(
    battle: Battle,
    ballot: Ballot,
    source: VoteSource,
    messages: dict[int, list[Message]],
    seconds: float,
    now: datetime,
) -> Vote:
    assert battle.right_revision is not None and battle.right_id is not None
    left, right = messages[battle.left_id], messages[battle.right_id]
    return Vote(
        source=source,
        battle=battle,
        external_id=battle.key,
        left=battle.left_revision,
        right=battle.right_revision,
        winner=ballot.winner,
        voter=battle.voter,
        item=battle.item,
        turn=max((message.turn for message in (*left, *right)), default=1),
        category=battle.category,
        language=battle.language,
        style=style_of(_answers(left), _answers(right)),
        reasons=[reason for reason in dict.fromkeys(ballot.reasons) if reason in REASONS],
        comment=ballot.comment.replace("\x00", "").strip()[:2000],
        dwell_seconds=round(seconds, 2),
        cast_at=now,
    )


def _answers(messages: Sequence[Message]) -> list[tuple[str, int | None]]:
    return [(one.text, one.completion_tokens) for one in messages if one.role == Message.Role.ASSISTANT]


def rules_of(vote: Vote) -> tuple[str, ...]:
    """The rules that keep a vote out of the count now."""
    return tuple(vote.exclusions.filter(lifted_at=None).order_by("pk").values_list("rule", flat=True))


def _screened(battle: Battle, cast: Cast) -> list[Finding]:
    """The rules the vote falls under: what was found with the answers, and what the counts of the day say."""
    found = [Finding(rule, detail) for rule, detail in battle.findings]
    found += screening.screen(cast, limits(roster.size(battle.kind)))
    if settings.ARENA_QUARANTINE_SECONDS > 0:
        hours = settings.ARENA_QUARANTINE_SECONDS / 3600
        found.append(Finding(screening.QUARANTINE, f"new votes wait {hours:g} h"))
    return found


def limits(models: int) -> Limits:
    """The limits of this site for an arena of so many models."""
    return Limits(min_seconds=settings.ARENA_MIN_SECONDS).for_models(models)


def agree(vote: Vote, agrees: bool) -> bool:
    """Whether the voter agrees with the judge, said once after the reveal; False where it was said before."""
    return bool(Vote.objects.filter(pk=vote.pk, agrees_with_judge=None).update(agrees_with_judge=agrees))


def release_quarantine(now: datetime | None = None) -> int:
    """Lets votes that have waited long enough count; how many."""
    due = (now or timezone.now()) - timedelta(seconds=settings.ARENA_QUARANTINE_SECONDS)
    waiting = Exclusion.objects.filter(rule=screening.QUARANTINE, lifted_at=None, created_at__lte=due)
    return tallies.lift(waiting.values_list("pk", flat=True), actor=ACTOR)
