"""One POST over a connection of its own, whose answer is looked at, not waited for: HTTP/1.1 for many slow streams.

A client that wakes a task for every piece of every stream spends more on waking than on reading. Here bytes gather as
they come, with their time, and whoever shows them looks ten times a second. Parsing is h11's.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import h11

CONNECT_SECONDS: Final = 10.0
HELD: Final = 1_000_000
"""Bytes that may wait for a look before the server is made to wait."""


class WireError(Exception):
    """The connection failed or broke, or what came is no HTTP."""


@dataclass(frozen=True)
class Head:
    """The start of an answer."""

    status: int
    content_type: str


@dataclass(frozen=True)
class Piece:
    """Bytes of the body and when they came (monotonic seconds)."""

    at: float
    data: bytes


@dataclass(frozen=True)
class End:
    """The body is whole."""


class Wire(asyncio.Protocol):
    """The connection. `events()` gives what has come since the last call; `close()` drops it at once."""

    def __init__(self) -> None:
        self._parser = h11.Connection(h11.CLIENT)
        self._transport: asyncio.Transport | None = None
        self._arrived: list[tuple[float, bytes]] = []
        self._held = 0
        self._lost: str | None = None
        self._is_paused = self._is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._arrived.append((time.monotonic(), data))
        self._held += len(data)
        if self._held > HELD and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = str(exc or "") or "the server closed the connection"

    def send(self, path: str, headers: list[tuple[str, str]], body: bytes) -> None:
        """The request; headers must carry a host."""
        assert self._transport is not None
        sent = [*headers, ("content-length", str(len(body))), ("accept-encoding", "identity"), ("connection", "close")]
        head = self._parser.send(h11.Request(method="POST", target=path, headers=sent))
        data = self._parser.send(h11.Data(data=body))
        self._parser.send(h11.EndOfMessage())
        self._transport.write((head or b"") + (data or b""))

    def events(self) -> Iterator[Head | Piece | End]:
        """What has come since the last call. Raises WireError, after what came before the fault."""
        arrived, self._arrived, self._held = self._arrived, [], 0
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        lost = self._lost
        try:
            for at, data in arrived:
                self._parser.receive_data(data)
                yield from self._parsed(at)
            if lost is not None and not self._is_closed:
                if self._parser.their_state is h11.SEND_BODY:
                    # Without a length the end of the connection is the end of the body; else this raises.
                    self._parser.receive_data(b"")
                    yield from self._parsed(time.monotonic())
                raise WireError(lost)
        except h11.RemoteProtocolError as error:
            raise WireError(str(error)) from error

    def _parsed(self, at: float) -> Iterator[Head | Piece | End]:
        while True:
            event: Any = self._parser.next_event()
            if isinstance(event, h11.Data):
                yield Piece(at, bytes(event.data))
            elif isinstance(event, h11.Response):
                kinds = [value for name, value in event.headers if name == b"content-type"]
                yield Head(event.status_code, kinds[0].decode("latin-1") if kinds else "")
            elif isinstance(event, h11.EndOfMessage):
                yield End()
                return
            elif not isinstance(event, h11.InformationalResponse):
                return

    def close(self) -> None:
        self._is_closed = True
        if self._transport is not None:
            self._transport.abort()


async def post(url: str, headers: list[tuple[str, str]], body: bytes) -> Wire:
    """A connection on which the request has been sent. Raises WireError; TimeoutError after ten seconds."""
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    async with asyncio.timeout(CONNECT_SECONDS):
        try:
            wire = await _connected(host, port, is_tls)
        except (OSError, ValueError) as error:
            raise WireError(str(error)) from error
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        wire.send(path, [("host", parts.netloc.rpartition("@")[2]), *headers], body)
    except h11.LocalProtocolError:
        wire.close()
        # h11 quotes the header, and one of them is a key.
        raise WireError("the address or the key of the server cannot stand in a request") from None
    return wire


async def _connected(host: str, port: int, is_tls: bool) -> Wire:
    loop = asyncio.get_running_loop()
    through = urllib.request.getproxies().get("https") if is_tls else None
    if through and not urllib.request.proxy_bypass(host):
        return await _through(through, host, port)
    if is_tls:
        _transport, wire = await loop.create_connection(Wire, host, port, ssl=tls(), server_hostname=host)
    else:
        _transport, wire = await loop.create_connection(Wire, host, port)
    return wire


async def _through(proxy: str, host: str, port: int) -> Wire:
    """By a proxy's CONNECT (RFC 9110, 9.3.6), as HTTPS_PROXY names it."""
    parts = urlsplit(proxy)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 3128)
    try:
        writer.write(f"CONNECT {host}:{port} HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if head.split(b" ", 2)[1:2] != [b"200"]:
            raise OSError(f"the proxy {parts.hostname} refused: {head[:100]!r}")
        wire, loop = Wire(), asyncio.get_running_loop()
        made = await loop.start_tls(writer.transport, wire, tls(), server_hostname=host)
        assert made is not None
        wire.connection_made(made)
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        with suppress(OSError):
            writer.transport.abort()
        raise OSError(str(error)) from error
    return wire


@cache
def tls() -> ssl.SSLContext:
    """The one context of the process: to load the certificates takes longer than a handshake."""
    return ssl.create_default_context()
