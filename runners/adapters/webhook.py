"""Messages to other people's servers, and to nobody inside this network.

A target's name is resolved once, every address it has is checked, and the connection goes to a checked address: a name
that answers differently the second time gains nothing. No redirects, no proxies, and an end for what hangs or drips.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

SECONDS = 5.0
_NOT_PUBLIC = [
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
]
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")


class WebhookError(Exception):
    """The message was not taken, or the target may not be reached; the text names which."""


def is_public(address: str) -> bool:
    """Whether an address is a host of the open internet: no private, mapped, translated or tunnelled one."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if ip.version == 6 and ip not in _PUBLIC_V6:
        return False
    if any(ip.version == network.version and ip in network for network in _NOT_PUBLIC):
        return False
    return ip.is_global and not ip.is_multicast


def post(url: str, message: Mapping[str, Any], seconds: float = SECONDS) -> None:
    """Posts JSON and waits for a 2xx, `seconds` at most in all. Raises WebhookError."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise WebhookError(f"The webhook's address is none: {error}") from error
    inside = f"{host}:{port}" in _inside()
    if not host or parts.username or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not inside):
        raise WebhookError("A webhook needs an https address without a password in it.")
    address = _checked(host, port, inside=inside)
    try:
        sock = socket.create_connection((address, port), timeout=seconds)
    except OSError as error:
        raise WebhookError(f"{host} cannot be reached: {error}") from error
    # A per-read time-out is renewed by every byte; this one is not.
    end = threading.Timer(seconds, _shut, [sock])
    end.daemon = True
    end.start()
    try:
        if parts.scheme == "https":
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        _send(sock, host, f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", message)
    except (OSError, http.client.HTTPException) as error:
        raise WebhookError(f"{host} did not take the message: {type(error).__name__} {error}") from error
    finally:
        end.cancel()
        sock.close()


def _send(sock: socket.socket, host: str, path: str, message: Mapping[str, Any]) -> None:
    connection = http.client.HTTPConnection(host)
    connection.sock = sock
    body = json.dumps(message, ensure_ascii=False).encode()
    connection.request("POST", path, body, {"Content-Type": "application/json", "User-Agent": "gyeoru"})
    status = connection.getresponse().status
    if not 200 <= status < 300:
        raise WebhookError(f"{host} answered with status {status}; redirects are not followed.")


def _checked(host: str, port: int, *, inside: bool) -> str:
    """An address of the host that may be reached. One bad address among many is enough to refuse them all."""
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise WebhookError(f"{host} has no address: {error}") from error
    if not inside and not all(is_public(address) for address in found):
        raise WebhookError(
            f"{host} is inside a network. Name {host}:{port} in GYEORU_WEBHOOK_INSIDE if that is meant to be."
        )
    return found[0]


def _inside() -> set[str]:
    """host:port of the targets inside this network that the operator allows."""
    return {entry.strip() for entry in os.environ.get("GYEORU_WEBHOOK_INSIDE", "").split(",") if entry.strip()}


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
