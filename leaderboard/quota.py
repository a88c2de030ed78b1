"""How much one network may ask of the site: counted by a keyed hash of the day and the network, never by an address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils import timezone

from leaderboard.models import Submission
from runners import networks, overrides
from runners.models import ACTIVE

WEEK = 7


@dataclass(frozen=True)
class Limits:
    """How many submissions of one network may be under way at once, and how many it may send in seven days."""

    open: int
    week: int


@dataclass(frozen=True)
class Usage:
    """What a network has in hand: submissions that still run, and all of the last seven days."""

    open: int
    week: int
    limits: Limits

    @property
    def is_spent(self) -> bool:
        return self.open >= self.limits.open or self.week >= self.limits.week


def defaults() -> dict[str, int]:
    """The limits of the environment, by the names of their overrides."""
    return {"quota.open": settings.SUBMISSIONS_OPEN, "quota.week": settings.SUBMISSIONS_WEEK}


def limits() -> Limits:
    """The limits in force. One query."""
    found = overrides.read(defaults())
    return Limits(found["quota.open"], found["quota.week"])


def network_of(request: HttpRequest) -> str:
    """The visitor's network: one IPv4 address, or an IPv6 prefix."""
    return networks.network_of(request, ipv4_bits=32)


def network_hash(network: str, day: date) -> str:
    """What is kept of a network with a submission."""
    return networks.network_hash(network, day, "submissions")


def usage(network: str) -> Usage:
    """What the network has asked for in the last seven days. Two queries."""
    today = timezone.localdate()
    hashes = [network_hash(network, today - timedelta(days=days)) for days in range(WEEK)]
    counts = Submission.objects.filter(network_hash__in=hashes).aggregate(
        week=Count("pk", distinct=True), open=Count("pk", distinct=True, filter=Q(runs__status__in=ACTIVE))
    )
    return Usage(counts["open"], counts["week"], limits())
