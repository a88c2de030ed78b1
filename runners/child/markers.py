"""Marks that stand in the place of an answer."""

from __future__ import annotations

# A request that never got an answer; never scored, asked again by the next attempt.
FAILED = "\x00failed\x00"
