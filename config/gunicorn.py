"""gunicorn's settings: native ASGI workers. `PORT`, `GYEORU_BIND` and `GYEORU_WEB_WORKERS` change them."""

from __future__ import annotations

import os

bind = f"{os.environ.get('GYEORU_BIND', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("GYEORU_WEB_WORKERS", "2"))
worker_class = "asgi"
asgi_lifespan = "off"
control_socket_disable = True
keepalive = 20
graceful_timeout = 10
timeout = 60
max_requests = 0
accesslog = os.environ.get("GYEORU_ACCESS_LOG") or None
loglevel = os.environ.get("GYEORU_LOG_LEVEL", "warning").lower()
proc_name = "gyeoru-web"
