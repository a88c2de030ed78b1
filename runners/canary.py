"""The drift watch: served models are asked the same few items again and again, on a schedule the reconciler keeps.

No lock and no timer of its own: what is due stands in the database, and a run that is under way cannot be asked for
twice. Canary runs are trials of a few items and stand on no board.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Max, QuerySet, Sum

from runners import clock, drift, runs
from runners.models import EvaluationRun, ModelRevision, Suite, TaskResult

BY = "drift watch"


@dataclass(frozen=True)
class Found:
    """A change of a revision's canary scores: when it began, and by how much (score after minus before, 0..1)."""

    since: datetime
    size: float


def request_due() -> int:
    """Asks for a canary run of every served model whose last one is too old; how many it asked for."""
    if not settings.CANARY_HOURS:
        return 0
    suite = Suite.objects.filter(slug=settings.CANARY_SUITE, retired_at=None).order_by("-version").first()
    if suite is None:
        return 0
    fresh = canaries().filter(created_at__gt=clock.now() - timedelta(hours=settings.CANARY_HOURS))
    due = ModelRevision.objects.filter(backend="api", endpoint__is_active=True).exclude(pk__in=fresh.values("revision"))
    asked = 0
    for revision in due:
        try:
            runs.request(
                revision, suite, run_settings={"limit": settings.CANARY_ITEMS}, requested_by=BY, reason="canary"
            )
            asked += 1
        except runs.AlreadyActive:
            continue
    return asked


def canaries() -> QuerySet[EvaluationRun]:
    """Every run the drift watch asked for."""
    return EvaluationRun.objects.filter(requested_by=BY)


def changes() -> Iterator[tuple[ModelRevision, Found]]:
    """Revisions whose canary scores changed. Compared are scores of one suite version and of equal numbers of items."""
    series: dict[tuple[int, int, int], list[tuple[datetime, float]]] = defaultdict(list)
    results = TaskResult.objects.filter(run__in=canaries().filter(status="finished"), value__isnull=False)
    rows = results.values("run", "run__revision", "run__suite").annotate(
        right=Sum(F("value") * F("n_scored")), n=Sum("n_scored"), at=Max("run__finished_at")
    )
    for row in rows.order_by("at"):
        key = (row["run__revision"], row["run__suite"], row["n"])
        series[key].append((row["at"], min(1.0, max(0.0, row["right"] / row["n"]))))
    for (revision, _, n_items), points in series.items():
        if found := drift.change([score for _, score in points], n_items=n_items):
            yield ModelRevision.objects.get(pk=revision), Found(points[found.onset][0], found.size)
