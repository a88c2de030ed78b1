"""The types of an ASGI application (asgi.readthedocs.io, version 3), for the doors that stand before Django."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
# Django's handler and ours spell these types differently; the protocol is what counts.
Application = Callable[[Any, Any, Any], Awaitable[None]]
