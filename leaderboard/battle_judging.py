"""Battles that people voted on are put in line for the judges: the arena knows no judges, and judges no battles.

The reconciler calls `queue_voted` after every step, whether Redis answers or not; the judge lane is told by
`judging.hints`. Votes under a rule that says the battle or the voter is not in earnest cost no money: only those that
count, or wait in quarantine, are judged. A vote let in again later is found by the hourly look at all of them.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from arena import screening
from arena.models import Battle, Exclusion, Vote, VoteSource
from arena.roster import SOURCE
from judging import seats
from judging.models import Judge, Judgment, Seat
from runners.models import Conversation

STEP_SECONDS: Final = 2.0
SWEEP_SECONDS: Final = 3600.0
FORGET_SECONDS: Final = 60.0
SETTLED: Final = timedelta(seconds=2)
"""A vote with a lower id may be stored a moment after one with a higher id."""
BATCH: Final = 100
_last: dict[str, float] = {}


def watch() -> None:
    """A step of the reconciler: new votes every two seconds, deleted battles every minute, everything once an hour."""
    now = time.monotonic()
    if now - _last.get("step", -STEP_SECONDS) < STEP_SECONDS:
        return
    _last["step"] = now
    sweep = now - _last.get("sweep", -SWEEP_SECONDS) >= SWEEP_SECONDS
    if sweep:
        _last["sweep"] = now
    queue_voted(sweep=sweep)
    if sweep or now - _last.get("forget", -FORGET_SECONDS) >= FORGET_SECONDS:
        _last["forget"] = now
        forget_deleted(timedelta(days=36500) if sweep else timedelta(minutes=10))


def queue_voted(*, sweep: bool = False) -> int:
    """Plans what the judges of battles have not been asked yet; how many judgments were put in line."""
    judges = seats.judges()
    if not judges:
        return 0
    for judge in judges:
        Seat.objects.get_or_create(judge=judge)
    made = sum(_new(judge) for judge in judges)
    if sweep:
        made += sum(_missed(judge) for judge in judges)
    return made


def _new(judge: Judge) -> int:
    seat = Seat.objects.get(judge=judge)
    found = _own().filter(pk__gt=seat.up_to_vote, cast_at__lt=timezone.now() - SETTLED)
    votes = list(found.order_by("pk").values_list("pk", flat=True)[:BATCH])
    if not votes:
        return 0
    made = seats.plan_pairs(judge, _pairs(earnest().filter(pk__in=votes)))
    Seat.objects.filter(pk=seat.pk).update(up_to_vote=votes[-1])
    return made


def _missed(judge: Judge) -> int:
    """Votes of before that no judgment answers: let in again, or looked at before their texts could be read."""
    seat = Seat.objects.get(judge=judge)
    asked = Judgment.objects.filter(judge=judge, canary="")
    one = asked.filter(subject=OuterRef("battle__left"), rival=OuterRef("battle__right"))
    other = asked.filter(subject=OuterRef("battle__right"), rival=OuterRef("battle__left"))
    votes = earnest().filter(~Exists(one), ~Exists(other), pk__lte=seat.up_to_vote)
    return seats.plan_pairs(judge, _pairs(votes.order_by("-pk")[: 5 * BATCH]))


def earnest() -> QuerySet[Vote]:
    """Votes on battles that still have their texts, left out by no rule but the quarantine of new votes."""
    out = Exclusion.objects.filter(vote=OuterRef("pk"), lifted_at=None).exclude(rule=screening.QUARANTINE)
    whole = Q(battle__mode=Battle.Mode.BLIND, battle__deleted_at=None, battle__right__isnull=False)
    return _own().filter(whole, ~Exists(out)).exclude(battle__left=F("battle__right"))


def _own() -> QuerySet[Vote]:
    """Votes on this site's battles; by their source, so that millions of imported votes are never passed over."""
    source = VoteSource.objects.filter(slug=SOURCE).values_list("pk", flat=True).first()
    return Vote.objects.filter(source=source, battle__isnull=False) if source else Vote.objects.none()


def _pairs(votes: QuerySet[Vote]) -> list[tuple[int, int]]:
    found = votes.values_list("battle__left", "battle__right")
    return [(left, right) for left, right in found if right is not None]


def forget_deleted(back: timedelta) -> None:
    """Where a visitor deleted a live battle in so much time, the judges' words about it go as well."""
    gone = Battle.objects.filter(deleted_at__isnull=False, kind=Battle.Kind.LIVE)
    if back < timedelta(days=1):
        gone = gone.filter(deleted_at__gt=timezone.now() - back)
    seats.forget(Conversation.objects.filter(Q(battles_as_left__in=gone) | Q(battles_as_right__in=gone)))
