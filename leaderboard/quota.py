"""How much one network may ask of the site: counted by a keyed hash of the day and the network, never by an address."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from leaderboard.models import Submission
from runners.models import ACTIVE

WEEK = 7
# A household or office gets a whole IPv6 prefix; single addresses of it would be no limit at all.
IPV6_PREFIX = 56


@dataclass(frozen=True)
class Usage:
    """What a network has in hand: submissions that still run, and all of the last seven days."""

    open: int
    week: int

    @property
    def is_spent(self) -> bool:
        return self.open >= settings.SUBMISSIONS_OPEN or self.week >= settings.SUBMISSIONS_WEEK


def network_of(request: HttpRequest) -> str:
    """The visitor's network. X-Forwarded-For is believed for as many hops as the site has proxies of its own."""
    address = request.META.get("REMOTE_ADDR", "")
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    if 0 < settings.TRUSTED_PROXIES <= len(hops):
        address = hops[-settings.TRUSTED_PROXIES]
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network(f"{parsed}/{IPV6_PREFIX}", strict=False))
    return str(parsed)


def network_hash(network: str, day: date) -> str:
    """64 hexadecimal digits that say nothing without the site's secret, and change every day."""
    return salted_hmac("gyeoru.network", f"{day.isoformat()} {network}", algorithm="sha256").hexdigest()


def usage(network: str) -> Usage:
    """What the network has asked for in the last seven days. One query."""
    today = timezone.localdate()
    hashes = [network_hash(network, today - timedelta(days=days)) for days in range(WEEK)]
    counts = Submission.objects.filter(network_hash__in=hashes).aggregate(
        week=Count("pk", distinct=True), open=Count("pk", distinct=True, filter=Q(runs__status__in=ACTIVE))
    )
    return Usage(counts["open"], counts["week"])
