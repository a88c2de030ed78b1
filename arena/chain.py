"""The vote log: every vote chained to those before it by SHA-256, its end published as a daily root.

A vote's entry is a JSON array of what was public of it when it was cast (`FIELDS`); its link is
sha256(link before + "\\n" + entry), starting from sha256("gyeoru vote log 1\\n" + slug of the source). Whoever holds
yesterday's root and today's exported log sees whether a vote was changed, taken out or slipped in. Exclusions are
another ledger: an excluded vote stays in the log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from arena.models import Vote, VoteLogRoot, VoteSource

FIELDS: Final = (
    "id", "external_id", "left", "right", "winner", "item", "turn", "category", "language", "voter", "cast_at",
)  # fmt: skip
_COLUMNS: Final = (
    "pk", "external_id", "left__slug", "right__slug", "winner", "item", "turn", "category", "language", "voter__key",
    "cast_at", "battle_id",
)  # fmt: skip
# A vote being stored right now may have a lower id than one already there; after this long it no longer is.
SETTLED: Final = timedelta(seconds=60)


@dataclass(frozen=True)
class Entry:
    """One vote of the log: the values of `FIELDS` and the link after it."""

    values: tuple[Any, ...]
    link: str

    @property
    def vote_id(self) -> int:
        return int(self.values[0])


@dataclass(frozen=True)
class Verification:
    """Sealed roots recomputed from the votes. `broken` is the first that no longer holds, None where all do."""

    n_roots: int
    n_votes: int
    broken: VoteLogRoot | None


def genesis(slug: str) -> str:
    """The link before a source's first vote."""
    return _digest(f"gyeoru vote log 1\n{slug}")


def pseudonym(key: str | None) -> str:
    """Who cast a vote, for the public log: the same for all votes of one voter, and nothing more."""
    return _digest(f"voter\n{key}")[:16] if key else ""


def battle_name(key: str) -> str:
    """What the public log calls a battle; its key opens its page."""
    return _digest(f"battle\n{key}")[:16]


def log(source: VoteSource, after: VoteLogRoot | None = None) -> Iterator[Entry]:
    """The entries of a source in the order of their ids, from the first or after a root."""
    link = after.root if after else genesis(source.slug)
    rows = Vote.objects.filter(source=source, pk__gt=after.up_to_vote if after else 0).order_by("pk")
    for row in rows.values_list(*_COLUMNS).iterator(chunk_size=5000):
        pk, external_id, *facts, key, cast_at, battle_id = row
        # A battle's key opens its page to whoever has it: the log tells it by a digest.
        name = external_id if battle_id is None else battle_name(external_id)
        values = (pk, name, *facts, pseudonym(key), cast_at.astimezone(UTC).isoformat(timespec="milliseconds"))
        link = _digest(f"{link}\n{json.dumps(values, ensure_ascii=False, separators=(',', ':'))}")
        yield Entry(values, link)


def seal(source: VoteSource, now: datetime | None = None) -> VoteLogRoot | None:
    """Publishes the root over the votes that have settled; None where there is nothing new. Reads new votes alone."""
    now = now or timezone.now()
    with transaction.atomic():
        VoteSource.objects.select_for_update().get(pk=source.pk)
        last = latest(source)
        count, end = (last.n_votes if last else 0), None
        settled = Vote.objects.filter(source=source, cast_at__lte=now - SETTLED).order_by("-pk").first()
        if settled is None or (last and settled.pk <= last.up_to_vote):
            return None
        for entry in log(source, last):
            if entry.vote_id > settled.pk:
                break
            count, end = count + 1, entry
        if end is None:
            return None
        return VoteLogRoot.objects.create(
            source=source, day=now.astimezone(UTC).date(), up_to_vote=end.vote_id, n_votes=count, root=end.link
        )


def latest(source: VoteSource) -> VoteLogRoot | None:
    """The newest root of a source."""
    return VoteLogRoot.objects.filter(source=source).order_by("-up_to_vote").first()


def verify(source: VoteSource) -> Verification:
    """Recomputes the whole log and holds every published root against it."""
    roots = list(VoteLogRoot.objects.filter(source=source).order_by("up_to_vote"))
    pending = iter(roots)
    expected = next(pending, None)
    seen = 0
    for entry in log(source):
        if expected is None or entry.vote_id > expected.up_to_vote:
            break
        seen += 1
        if entry.vote_id == expected.up_to_vote:
            if (entry.link, seen) != (expected.root, expected.n_votes):
                return Verification(len(roots), seen, expected)
            expected = next(pending, None)
    return Verification(len(roots), seen, expected)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
