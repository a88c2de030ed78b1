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
from runners.models import Alarm, EvaluationRun, ModelRevision, Suite, TaskResult

BY = "drift watch"


@dataclass(frozen=True)
class Point:
    """One canary run: when it finished and which share of its items it got right (0..1)."""

    run_id: int
    at: datetime
    score: float


@dataclass(frozen=True)
class Found:
    """A change of a revision's canary scores: when it began, and by how much (score after minus before, 0..1), with
    its 95 % interval."""

    since: datetime
    size: float
    low: float
    high: float

    @property
    def figures(self) -> dict[str, float]:
        return {"size": self.size, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class History:
    """The canary runs of a revision on one suite version and so many items, oldest first. `level_since`: from when on
    staff took its scores for normal."""

    revision_id: int
    suite_id: int
    n_items: int
    every: list[Point]
    level_since: datetime | None = None

    @property
    def points(self) -> list[Point]:
        """Those that are compared."""
        return [point for point in self.every if self.level_since is None or point.at >= self.level_since]

    @property
    def watch(self) -> drift.Watch:
        return drift.watch([point.score for point in self.points], n_items=self.n_items)

    def found(self, episode: drift.Episode) -> Found:
        return Found(self.points[episode.change.onset].at, episode.change.size, episode.low, episode.high)


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


def histories(revisions: QuerySet[ModelRevision] | None = None) -> list[History]:
    """The canary scores of revisions, of all where none are named. Compared are scores of one suite version and of
    equal numbers of items; scores before a level that staff took for normal are in `before`. Two queries."""
    found = canaries().filter(status="finished")
    if revisions is not None:
        found = found.filter(revision__in=revisions)
    results = TaskResult.objects.filter(run__in=found, value__isnull=False)
    rows = results.values("run", "run__revision", "run__suite").annotate(
        right=Sum(F("value") * F("n_scored")), n=Sum("n_scored"), at=Max("run__finished_at")
    )
    series: dict[tuple[int, int, int], list[Point]] = defaultdict(list)
    for row in rows.order_by("at", "run"):
        score = min(1.0, max(0.0, row["right"] / row["n"]))
        series[row["run__revision"], row["run__suite"], row["n"]].append(Point(row["run"], row["at"], score))
    levels = _accepted()
    return [
        History(revision, suite, n_items, points, levels.get(revision))
        for (revision, suite, n_items), points in series.items()
    ]


def changes() -> Iterator[tuple[ModelRevision, Found]]:
    """Revisions whose canary scores changed and have not come back."""
    for history in histories():
        for episode in history.watch.episodes:
            if episode.over_at is None:
                yield ModelRevision.objects.get(pk=history.revision_id), history.found(episode)


def _accepted() -> dict[int, datetime]:
    """Per revision since when its newest accepted level holds."""
    marks = Alarm.objects.filter(kind=Alarm.Kind.MODEL_DRIFT, accepted_at__isnull=False, about_at__isnull=False)
    return {
        revision: since for revision, since in marks.order_by("about_at").values_list("revision", "about_at")
        if revision is not None and since is not None
    }  # fmt: skip
