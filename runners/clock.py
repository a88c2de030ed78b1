"""The time that leases are counted in: the database's, so that machines whose clocks differ agree on it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import DatabaseError, connection
from django.utils import timezone

ASK_AGAIN_SECONDS = 300.0
# Below this a difference is the way to the database and back, not a clock.
IGNORED = timedelta(seconds=1)

_offset, _asked_at = timedelta(), float("-inf")


def now() -> datetime:
    """This machine's time, put right by how far the database's clock is from it."""
    return timezone.now() + _difference()


def forget() -> None:
    """Asks the database again at the next look."""
    global _asked_at
    _asked_at = float("-inf")


def _difference() -> timedelta:
    """The database's time minus ours; nothing with SQLite, which lies on this machine."""
    global _offset, _asked_at
    if connection.vendor == "sqlite" or time.monotonic() - _asked_at < ASK_AGAIN_SECONDS:
        return _offset if connection.vendor != "sqlite" else timedelta()
    try:
        before = timezone.now()
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            theirs: datetime = cursor.fetchone()[0]
        found = theirs - (before + (timezone.now() - before) / 2)
    except DatabaseError:
        return _offset  # whoever asked is about to meet the same trouble, and says so
    _offset, _asked_at = (found if abs(found) > IGNORED else timedelta()), time.monotonic()
    return _offset
