"""What `manage.py refit` does: everything once, or what has changed, again and again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final

from django.db.models import Count, Max

from arena import chain
from arena.models import Exclusion, Vote, VoteSource
from arena.roster import SOURCE
from judging import seats
from leaderboard import agreement_numbers, if_counted
from leaderboard.ratings import LIGHT, METHODS, refit

HEAVY_SHARE: Final = 10.0
"""Methods that read votes run at most a tenth of the time: after t seconds of work they rest for ten times as long."""
SEAL_SECONDS: Final = 3600.0


def refit_all(slug: str | None, methods: Iterable[str], anchor: tuple[str, float] | None = None) -> Iterator[str]:
    """Refits every source (or one), then agreement; a line of text for each. Raises LookupError for an unknown slug."""
    sources = list(VoteSource.objects.order_by("slug"))
    chosen = [source for source in sources if slug in (None, source.slug)]
    if slug is not None and not chosen:
        known = ", ".join(source.slug for source in sources) or "none yet"
        raise LookupError(f"There is no vote source “{slug}”. There are: {known}.")
    for source in chosen:
        written = refit(source, tuple(methods), anchor)
        yield f"{source.slug}: {written} new snapshots"
    for source in chosen:
        if if_counted.refresh(source, anchor):
            yield f"{source.slug}: ranks if left-out votes counted worked out anew"
    for source in chosen:
        if not source.judge:
            written = agreement_numbers.refresh(source)
            yield f"{source.slug}: agreement with {written} judges computed anew"


class Watch:
    """Refits a source when its votes or exclusions have changed since the last look.

    `look` and `work` share nothing, so that a thread may run each: what reads every vote never keeps the ratings from
    pair counts waiting.
    """

    def __init__(self, anchor: tuple[str, float] | None = None) -> None:
        self.anchor = anchor
        self._seen: dict[int, tuple[object, ...]] = {}
        self._heavy: dict[int, tuple[tuple[object, ...], float]] = {}
        self._sealed: dict[int, float] = {}

    def look(self) -> Iterator[str]:
        """One look at every source by the methods fitted on kept counts; a line for each that was refitted."""
        for source in VoteSource.objects.order_by("slug"):
            mark = _mark(source)
            if mark != self._seen.get(source.pk):
                self._seen[source.pk] = mark
                yield f"{source.slug}: {refit(source, LIGHT, self.anchor)} new snapshots"

    def work(self) -> None:
        """What reads votes, where something has changed and the last time is long enough ago; seals the vote log."""
        for source in VoteSource.objects.order_by("slug"):
            now = time.monotonic()
            done, not_before = self._heavy.get(source.pk, ((), 0.0))
            if now >= not_before and (mark := (*_mark(source), _verdicts(source))) != done:
                refit(source, [method for method in METHODS if method not in LIGHT], self.anchor)
                if_counted.refresh(source, self.anchor)
                if not source.judge:
                    agreement_numbers.refresh(source)
                ended = time.monotonic()
                self._heavy[source.pk] = (mark, ended + HEAVY_SHARE * (ended - now))
            if now - self._sealed.get(source.pk, -SEAL_SECONDS) >= SEAL_SECONDS:
                self._sealed[source.pk] = now
                chain.seal(source)


def _mark(source: VoteSource) -> tuple[object, ...]:
    """Changes whenever a vote is stored, excluded or counted again."""
    moved = Exclusion.objects.filter(vote__source=source).aggregate(
        last=Max("pk"), lifted=Count("lifted_at"), at=Max("lifted_at")
    )
    last = Vote.objects.filter(source=source).order_by("-pk").values_list("pk", flat=True).first()
    return (last, moved["last"], moved["lifted"], moved["at"])


def _verdicts(source: VoteSource) -> int:
    """Judges' verdicts on battles so far: they come after the votes, and agreement waits for them."""
    return seats.open_rows().filter(status="done").count() if source.slug == SOURCE else 0
