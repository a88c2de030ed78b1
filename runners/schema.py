"""Whether this process and the database are of one version: a worker that is older or newer takes no run."""

from __future__ import annotations

from functools import lru_cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

OURS = ("runners", "judging", "arena", "leaderboard")
# How a worker's note begins that takes no run; pages look for it.
NEWER, OLDER = "the database is newer than this worker", "the database is older than this worker"


@lru_cache(1)
def known() -> frozenset[tuple[str, str]]:
    """(app, migration) of this program as it was started; files that change under it change nothing."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return frozenset(key for key in loader.disk_migrations if key[0] in OURS)


def mismatch() -> str:
    """Why this process must not take a run, with what to do; nothing when all is well. One query."""
    applied = {key for key in MigrationRecorder(connection).applied_migrations() if key[0] in OURS}
    if unknown := sorted(applied - known()):
        return f"{NEWER} (it has {'.'.join(unknown[-1])}): install the new version here and start the worker again"
    if missing := sorted(known() - applied):
        return (
            f"{OLDER} (it lacks {'.'.join(missing[0])}): run `manage.py migrate`, or start a worker of the old version"
        )
    return ""
