"""The web server's settings, as gunicorn reads them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from config import gunicorn


def test_a_burst_of_connections_may_wait_in_line() -> None:
    loop = asyncio.new_event_loop()
    try:
        gunicorn.post_worker_init(SimpleNamespace(loop=loop))
        server = loop.run_until_complete(loop.create_server(asyncio.Protocol, "127.0.0.1", 0))
        assert server._backlog == gunicorn.backlog == 2048  # type: ignore[attr-defined]
        server.close()
    finally:
        loop.close()
