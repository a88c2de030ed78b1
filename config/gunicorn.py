"""gunicorn's settings: native ASGI workers. `PORT`, `GYEORU_BIND` and `GYEORU_WEB_WORKERS` change them."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

bind = f"{os.environ.get('GYEORU_BIND', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("GYEORU_WEB_WORKERS", "2"))
worker_class = "asgi"
asgi_lifespan = "off"
control_socket_disable = True
keepalive = 20
graceful_timeout = 10
timeout = 60
max_requests = 0
backlog = 2048
# A worker that died is back as soon as it is forked, not after two seconds of imports; and workers share that memory.
preload_app = True
accesslog = os.environ.get("GYEORU_ACCESS_LOG") or None
loglevel = os.environ.get("GYEORU_LOG_LEVEL", "warning").lower()
proc_name = "gyeoru-web"


def post_worker_init(worker: Any) -> None:
    """Lets `backlog` connections wait.

    The asgi worker forgets the setting and takes asyncio's 100; of a larger burst the rest tries again after 1 s.
    """
    worker.loop.create_server = partial(worker.loop.create_server, backlog=backlog)
