"""A worker forks a process for every job: on PostgreSQL each must have a connection of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.lanes import ROOT

PROGRAM = """
import os, time, django
django.setup()
from django.db import connection, connections
from runners.adapters import worker

def backend():
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return cursor.fetchone()[0]

backend()
worker.without_pool()
os.write(1, b"%d\\n" % backend())
connections.close_all()
for _ in range(2):
    if not os.fork():
        os.write(1, b"%d\\n" % backend())
        time.sleep(1)
        os._exit(0)
os.write(1, b"%d\\n" % backend())
"""


@pytest.mark.postgres
@pytest.mark.skipif("postgres" not in os.environ.get("DATABASE_URL", ""), reason="SQLite has no connection to share")
def test_a_worker_and_its_forks_never_share_a_connection():
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    backends = done.stdout.split()
    assert len(backends) == 4 and len(set(backends[1:])) == 3
