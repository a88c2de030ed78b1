"""What is looked at again and again: voters and days that push a model, quarantine, and hashes to be forgotten.

`manage.py screen_votes` does it once; the reconciler does it every minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.utils import timezone

from arena import roster, screening, tallies
from arena.battles import end_abandoned
from arena.models import Battle, Exclusion, PairTally, Vote, Voter, VoteSource
from arena.pairing import exposure
from arena.rigging import Ballot, Expectation, Suspicion, pooled, suspicions
from arena.voters import KEEP_NETWORKS_DAYS
from arena.votes import release_quarantine

ACTOR: Final = "review"
LAST_VOTES: Final = 200
LEAST_IN_A_DAY: Final = 20
STEP_SECONDS: Final = 60.0
SCORES: Final = {"a": 1.0, "b": 0.0, "tie": 0.5, "bothbad": 0.5}
_last: list[float] = []


@dataclass(frozen=True)
class Reviewed:
    """How many voters were tested and flagged, votes left out by each test, and votes released from quarantine."""

    voters: int = 0
    flagged: int = 0
    targeted_votes: int = 0
    pooled_votes: int = 0
    released: int = 0


def outbox() -> None:
    """A step of the reconciler: a review once a minute."""
    now = time.monotonic()
    if not _last or now - _last[0] >= STEP_SECONDS:
        _last[:] = [now]
        review()


def review(now: datetime | None = None) -> Reviewed:
    """Tests the voters of the last day and the day itself, then lets quarantined votes go and old hashes too."""
    now = now or timezone.now()
    source = VoteSource.objects.filter(slug=roster.SOURCE).first()
    end_abandoned()
    forget_networks(now)
    if source is None:
        return Reviewed()
    expected, shares = expectation(source), met()
    voters = _recent_voters(source, now)
    flagged = targeted = 0
    for voter in voters:
        excluded = screen_voter(source, voter, expected, shares)
        flagged, targeted = flagged + (excluded > 0), targeted + excluded
    day = screen_day(source, now)
    return Reviewed(len(voters), flagged, targeted, day, release_quarantine(now))


def expectation(source: VoteSource) -> Expectation:
    """What the counted votes of a source make of every pair, from the kept counts."""
    expected = Expectation(())
    rows = PairTally.objects.filter(source=source, category=tallies.OVERALL)
    fields = ("left__slug", "right__slug", "left_wins", "right_wins", "ties", "both_bad")
    for left, right, won, lost, ties, both_bad in rows.values_list(*fields):
        for score, votes in ((1.0, won), (0.0, lost), (0.5, ties + both_bad)):
            if votes:
                expected.add([Ballot(left, right, score)], votes)
    return expected


def met() -> dict[str, float]:
    """With which probability each model is in a battle now; where both kinds are open, the larger one."""
    shares: dict[str, float] = {}
    for kind in Battle.Kind.values:
        for name, share in exposure(roster.pool(kind).table).items():
            shares[name] = max(share, shares.get(name, 0.0))
    return shares


def screen_voter(source: VoteSource, voter: int, expected: Expectation, shares: dict[str, float]) -> int:
    """Leaves out the votes on a model that a voter pushes; how many. `expected` is put back as it was."""
    of_voter = Vote.objects.filter(source=source, voter=voter).exclude(battle__repeat_of__isnull=False)
    votes = list(of_voter.select_related("left", "right").order_by("-pk")[:LAST_VOTES])
    ballots = [_ballot(vote) for vote in votes]
    out = set(Exclusion.objects.filter(vote__in=votes, lifted_at=None).values_list("vote_id", flat=True))
    own = [ballot for vote, ballot in zip(votes, ballots, strict=True) if vote.pk not in out]
    expected.add(own, -1)
    found = [one for one in suspicions(ballots, expected, shares) if one.flagged]
    expected.add(own)
    return sum(_leave_out(votes, one, screening.TARGETED) for one in found[:1])


def screen_day(source: VoteSource, now: datetime) -> int:
    """Leaves out today's votes on a model that is pushed by many voters together; how many."""
    start = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    today = tallies.counted(source).filter(cast_at__gte=start).select_related("left", "right")
    votes = list(today.order_by("pk")[:20_000])
    ballots = [_ballot(vote) for vote in votes]
    expected = expectation(source)
    expected.add(ballots, -1)
    # With too few votes before today there is nothing to hold the day against.
    found = [
        one
        for one in pooled(ballots, expected)
        if one.flagged and one.votes >= LEAST_IN_A_DAY and expected.votes_of(one.model) >= LEAST_IN_A_DAY
    ]
    return sum(_leave_out(votes, one, screening.POOLED) for one in found[:1])


def _leave_out(votes: Iterable[Vote], found: Suspicion, rule: str) -> int:
    """Takes the votes on one model out of the count, by the ledger."""
    chosen = [vote.pk for vote in votes if found.model in (vote.left.slug, vote.right.slug)]
    detail = (
        f"{found.model}: z {found.preference:+.1f} for its wins, {found.concentration:+.1f} for how often it was met, "
        f"over {found.votes} votes"
    )
    return tallies.exclude(chosen, rule=rule, actor=ACTOR, detail=detail)


def _recent_voters(source: VoteSource, now: datetime) -> list[int]:
    recent = Voter.objects.filter(votes__source=source, votes__cast_at__gte=now - timedelta(days=1))
    return list(recent.order_by("pk").distinct().values_list("pk", flat=True))


def _ballot(vote: Vote) -> Ballot:
    return Ballot(vote.left.slug, vote.right.slug, SCORES[vote.winner])


def forget_networks(now: datetime) -> int:
    """Deletes the hashes of networks after 30 days; of how many battles."""
    old = now - timedelta(days=KEEP_NETWORKS_DAYS)
    Voter.objects.filter(first_seen__lt=old).exclude(network_hash="").update(network_hash="")
    return Battle.objects.filter(created_at__lt=old).exclude(network_hash="").update(network_hash="")
