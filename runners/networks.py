"""Where a request comes from, without keeping an address: a prefix, and a keyed hash of it that changes every day."""

from __future__ import annotations

import ipaddress
from datetime import date

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

# A household or office gets a whole IPv6 prefix; single addresses of it would be no limit at all.
IPV6_PREFIX = 56


def network_of(request: HttpRequest, ipv4_bits: int) -> str:
    """The visitor's network: the IPv4 prefix of so many bits, or the /56 of an IPv6 address; "unknown" for neither.

    X-Forwarded-For is believed for as many hops as the site has proxies of its own.
    """
    address = request.META.get("REMOTE_ADDR", "")
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    if 0 < settings.TRUSTED_PROXIES <= len(hops):
        address = hops[-settings.TRUSTED_PROXIES]
    return prefix(address, ipv4_bits)


def prefix(address: str, ipv4_bits: int) -> str:
    """The network of an address; a single IPv4 address (32 bits) as itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    bits = ipv4_bits if parsed.version == 4 else IPV6_PREFIX
    return str(parsed) if bits == 32 else str(ipaddress.ip_network(f"{parsed}/{bits}", strict=False))


def network_hash(network: str, day: date, purpose: str) -> str:
    """64 hexadecimal digits that say nothing without the site's secret, others every day and for every purpose."""
    return salted_hmac(f"gyeoru.{purpose}.network", f"{day.isoformat()} {network}", algorithm="sha256").hexdigest()
