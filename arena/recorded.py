"""Battles of recorded answers: two models' stored conversations on the same question, no model server needed."""

from __future__ import annotations

import random
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext as _

from arena import roster
from arena.evidence import findings_of
from arena.models import Battle, Voter
from arena.pairing import Drawn, draw
from arena.refusal import Refused
from runners.models import ModelRevision

REPEAT_SHARE: Final = 0.05
REPEAT_AFTER: Final = 5
_SYSTEM = random.SystemRandom()
# Reference players of known quality: the first of a pair is the better one, whoever votes.
_BETTER = {
    (f"reference/{better}", f"reference/{worse}")
    for better in ("complete", "terse")
    for worse in ("wrong", "constant", "echo")
} | {("reference/complete", "reference/english")}


def open_recorded(voter: Voter, network: str, source: random.Random = _SYSTEM) -> Battle:
    """A battle of two recorded answers to one question; sometimes an earlier one with its sides swapped.

    Raises Refused where no two models have answered the same question.
    """
    if repeat := _repeat(voter, source):
        return repeat
    pool = roster.pool(Battle.Kind.RECORDED)
    seen = set(voter.battles.filter(kind=Battle.Kind.RECORDED).values_list("item", "left_revision", "right_revision"))
    for _attempt in range(20):
        drawn = draw(pool.table, source)
        if drawn is None:
            break
        left, right = pool.revisions[drawn.left], pool.revisions[drawn.right]
        shared = _shared_items(left, right)
        fresh = [item for item in shared if not {(item, left.pk, right.pk), (item, right.pk, left.pk)} & seen]
        if fresh or (shared and _attempt > 10):
            return _recorded_battle(voter, network, source.choice(fresh or shared), left, right, drawn)
    raise Refused(
        "no_recorded",
        _("No two models have answered the same question yet. Answers appear here as soon as multi-turn runs end."),
        503,
    )


def _shared_items(left: ModelRevision, right: ModelRevision) -> list[str]:
    items = roster.recorded_conversations().order_by()
    ours = items.filter(revision=left).values_list("item", flat=True)
    return sorted(set(ours) & set(items.filter(revision=right).values_list("item", flat=True)))


def _recorded_battle(
    voter: Voter, network: str, item: str, left: ModelRevision, right: ModelRevision, drawn: Drawn
) -> Battle:
    both = [
        roster.recorded_conversations()
        .filter(revision=one, item=item)
        .select_related("revision__language_model")
        .order_by("-pk")
        .distinct()[0]
        for one in (left, right)
    ]
    now = timezone.now()
    return Battle.objects.create(
        kind=Battle.Kind.RECORDED,
        left=both[0],
        right=both[1],
        left_revision=left,
        right_revision=right,
        item=item,
        category=both[0].category,
        status=Battle.Status.COMPLETE,
        voter=voter,
        network_hash=network,
        pair_probability=drawn.probability,
        gold_winner=gold(left.slug, right.slug),
        findings=findings_of(both),
        created_at=now,
        completed_at=now,
    )


def gold(left: str, right: str) -> str:
    """The side that is known to be better, "a" or "b"; empty where nobody knows."""
    return "a" if (left, right) in _BETTER else "b" if (right, left) in _BETTER else ""


def _repeat(voter: Voter, source: random.Random) -> Battle | None:
    """Now and then a battle the voter has voted on comes again, swapped: who votes alike both times is reliable."""
    if source.random() >= REPEAT_SHARE:
        return None
    voted = voter.battles.filter(kind=Battle.Kind.RECORDED, status=Battle.Status.VOTED, repeat_of=None, repeats=None)
    if voted.count() < REPEAT_AFTER:
        return None
    first = voted.order_by("pk").first()
    if first is None or first.right is None or first.right_revision is None:
        return None
    now = timezone.now()
    return Battle.objects.create(
        kind=first.kind,
        left=first.right,
        right=first.left,
        left_revision=first.right_revision,
        right_revision=first.left_revision,
        item=first.item,
        category=first.category,
        status=Battle.Status.COMPLETE,
        voter=voter,
        network_hash=first.network_hash,
        gold_winner={"a": "b", "b": "a"}.get(first.gold_winner, ""),
        findings=first.findings,
        repeat_of=first,
        created_at=now,
        completed_at=now,
    )
