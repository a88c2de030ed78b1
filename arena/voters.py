"""Who votes, as far as this site knows: a signed cookie without a name, and a network without an address.

The cookie holds a random id; the database holds a keyed hash of it. A network is a keyed hash of the day and the /24 or
/56 prefix: it says nothing without the site's secret, cannot be linked across days, and is deleted after 30.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from arena.models import Voter
from runners import networks

COOKIE = "__Host-arena" if settings.PRODUCTION else "arena"
YEAR = 365 * 24 * 3600
KEEP_NETWORKS_DAYS = 30
_SIGNER = signing.Signer(salt="gyeoru.arena.voter")


def key_of(cookie: str) -> str:
    """The voter's key for a cookie's value; empty where the cookie is none of ours."""
    try:
        inner = _SIGNER.unsign(cookie)
    except signing.BadSignature:
        return ""
    return salted_hmac("gyeoru.arena.voter", inner, algorithm="sha256").hexdigest()


def voter_of(request: HttpRequest) -> Voter | None:
    """The voter behind a request, where one has agreed here before."""
    key = key_of(request.COOKIES.get(COOKIE, ""))
    return Voter.objects.filter(key=key).exclude(consented_at=None).first() if key else None


def consent(request: HttpRequest, response: HttpResponse) -> Voter:
    """Makes (or keeps) the voter of a session that agrees to the terms; the answer carries the cookie."""
    cookie = request.COOKIES.get(COOKIE, "")
    if not key_of(cookie):
        cookie = _SIGNER.sign(secrets.token_urlsafe(24))
    now = timezone.now()
    voter, made = Voter.objects.get_or_create(
        key=key_of(cookie), defaults={"consented_at": now, "network_hash": network_of(request)}
    )
    if not made and voter.consented_at is None:
        Voter.objects.filter(pk=voter.pk).update(consented_at=now)
    response.set_cookie(
        COOKIE, cookie, max_age=YEAR, httponly=True, samesite="Lax", secure=settings.PRODUCTION, path="/"
    )
    return voter


def network_of(request: HttpRequest, now: datetime | None = None) -> str:
    """The keyed hash of today and the visitor's network."""
    day = (now or timezone.now()).astimezone(UTC).date()
    return networks.network_hash(networks.network_of(request, ipv4_bits=24), day, "arena")
