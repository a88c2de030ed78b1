"""One source's category as the rating pages show it: every method's newest table, the pair counts, the history."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Max, Q, QuerySet

from arena import demo, tallies
from arena.models import VoteSource
from leaderboard.models import AgreementSnapshot, Rating, RatingSnapshot
from leaderboard.published import Publisher
from leaderboard.ratings import HALF_WIDTH, METHODS, PAGES
from runners.models import Generation, ModelRevision
from runners.models.language_models import shown_name

HISTORY: int = 60
TARGET: float = 30.0
"""Points: a category is well measured where half of its models are known to within this; 30 points win 54 of 100."""
# Simulated models are hidden everywhere but in the demo they are simulated for.
VISIBLE = Q(language_model__hidden_reason="") | Q(slug__startswith=f"{demo.SOURCE}/")


@dataclass(frozen=True)
class Model:
    """What a page says of a revision."""

    revision_id: int
    revision: str
    slug: str
    name: str

    @property
    def display_name(self) -> str:
        return shown_name(self.name)


@dataclass(frozen=True)
class Row:
    """One model of a table; rating and ranks are None unless its status is rated (Elo has no ranks)."""

    model: Model
    status: str
    rating: float | None
    low: float | None
    high: float | None
    rank_low: int | None
    rank_high: int | None
    battles: int
    wins: int
    ties: int


@dataclass(frozen=True)
class Table:
    """A method's newest snapshot, best first, those without a number last."""

    method: str
    snapshot: RatingSnapshot
    rows: list[Row]

    @property
    def rated(self) -> list[Row]:
        return [row for row in self.rows if row.rating is not None]

    @property
    def n_excluded(self) -> int:
        return sum(self.snapshot.excluded.values())


@dataclass(frozen=True)
class Past:
    """One snapshot of the history: when, after how many votes, and by revision id ratings and half 95 % intervals."""

    at: datetime
    n_votes: int
    ratings: dict[int, float]
    halves: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """How far a category is: counted votes, and the median half 95 % interval in points (None: nobody is rated)."""

    category: str
    n_votes: int
    half_width: float | None

    @property
    def needed(self) -> int | None:
        """Further votes until the median interval is within ±TARGET, as intervals shrink with the root of the votes."""
        if self.half_width is None:
            return None
        return max(0, math.ceil(self.n_votes * ((self.half_width / TARGET) ** 2 - 1)))


@dataclass
class Standing:
    """Everything the pages of one source and category show, as it was at `generation`."""

    source: VoteSource
    category: str
    sources: list[VoteSource]
    categories: list[str]
    tables: dict[str, Table]
    counts: dict[tuple[int, int], tallies.Counts]
    generation: int
    judges: list[str] = field(default_factory=list)
    history: list[Past] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)

    def table(self, method: str) -> Table | None:
        return self.tables.get(method)

    def pair(self, a: int, b: int) -> tallies.Counts:
        """Votes on a pair with `a` as the first, whichever id is lower."""
        found = self.counts.get((min(a, b), max(a, b)), tallies.Counts())
        if a < b:
            return found
        return tallies.Counts(found.high_wins, found.low_wins, found.ties, found.both_bad)


def generation() -> int:
    """What the rating pages were last changed to; one query."""
    return Generation.objects.filter(pk=PAGES).values_list("value", flat=True).first() or 0


def rated_sources() -> list[VoteSource]:
    """The sources with ratings: the site's own arena first, then people's with most votes, then judges'."""
    newest = RatingSnapshot.objects.filter(category=tallies.OVERALL, method="bt")
    votes: dict[str, int] = {}
    for slug, n in newest.order_by("pk").values_list("source", "n_votes"):
        votes[slug] = n
    found = VoteSource.objects.filter(slug__in=votes)
    return sorted(found, key=lambda one: (bool(one.judge), one.slug != "arena", -votes[one.slug], one.slug))


def key_of(source: str, category: str) -> str:
    """The name under which the publisher keeps a standing."""
    return f"{source}\n{category}"


def load(key: str) -> Standing | None:
    """A standing by its key; None where the source has no ratings in that category. Ten queries whatever its size."""
    slug, _, category = key.partition("\n")
    mark = generation()
    sources = rated_sources()
    source = next((one for one in sources if one.slug == slug), None)
    if source is None:
        return None
    snapshots = RatingSnapshot.objects.filter(source=slug)
    progress = _progress(snapshots.filter(method="bt"))
    categories = [one.category for one in progress]
    if category not in categories:
        return None
    newest = snapshots.filter(category=category).values("method").annotate(last=Max("pk")).values_list("last")
    tables = _tables(list(RatingSnapshot.objects.filter(pk__in=newest)))
    kept = tallies.kept(source)
    return Standing(
        source, category, sources, categories, tables,
        {(cell.low, cell.high): counts for cell, counts in kept.items() if cell.category == category},
        mark, judges_of(slug), _history(slug, category), progress,
    )  # fmt: skip


def _progress(snapshots: QuerySet[RatingSnapshot]) -> list[Progress]:
    """Every category with its newest official snapshot, the whole first. One query."""
    newest = snapshots.values("category").annotate(last=Max("pk")).values("last")
    rows = RatingSnapshot.objects.filter(pk__in=newest).values_list("category", "n_votes", f"details__{HALF_WIDTH}")
    return sorted((Progress(*row) for row in rows), key=lambda one: (one.category != tallies.OVERALL, one.category))


def judges_of(source: str) -> list[str]:
    """The judges whose agreement with the people of a source has been computed."""
    return list(AgreementSnapshot.objects.filter(source=source).values_list("judge", flat=True).distinct())


def _tables(snapshots: Sequence[RatingSnapshot]) -> dict[str, Table]:
    rows: dict[int, list[Row]] = {snapshot.pk: [] for snapshot in snapshots}
    models = _models(Rating.objects.filter(snapshot__in=rows).values_list("revision", flat=True).distinct())
    fields = ("snapshot_id", "revision_id", "status", "rating", "low", "high", "rank_low", "rank_high", "battles",
              "wins", "ties")  # fmt: skip
    found = Rating.objects.filter(snapshot__in=rows).order_by("pk").values_list(*fields)
    for snapshot_id, revision_id, *rest in found.iterator(chunk_size=5000):
        if revision_id in models:
            rows[snapshot_id].append(Row(models[revision_id], *rest))
    for listed in rows.values():
        listed.sort(key=lambda row: (row.rating is None, -(row.rating or 0.0), row.model.name))
    order = list(METHODS)
    by_method = sorted(snapshots, key=lambda one: order.index(one.method))
    return {snapshot.method: Table(snapshot.method, snapshot, rows[snapshot.pk]) for snapshot in by_method}


def _models(ids: Any) -> dict[int, Model]:
    """What pages say of revisions; a model with several of them is told apart by the revision. Hidden ones are out."""
    rows = ModelRevision.objects.filter(VISIBLE, pk__in=ids).values_list(
        "pk", "slug", "language_model__slug", "language_model__name"
    )
    listed = list(rows)
    names = [row[3] for row in listed]
    return {
        pk: Model(pk, revision, slug, name if names.count(name) == 1 else revision)
        for pk, revision, slug, name in listed
    }


def _history(source: str, category: str) -> list[Past]:
    """The official ratings over time, oldest first."""
    snapshots = RatingSnapshot.objects.filter(source=source, category=category, method="bt").order_by("-pk")[:HISTORY]
    chosen = {one.pk: Past(one.created_at, one.n_votes, {}) for one in reversed(snapshots)}
    rows = Rating.objects.filter(snapshot__in=chosen, rating__isnull=False)
    for snapshot_id, revision_id, rating, low, high in rows.values_list(
        "snapshot_id", "revision_id", "rating", "low", "high"
    ):
        if rating is not None:
            chosen[snapshot_id].ratings[revision_id] = rating
        if low is not None and high is not None:
            chosen[snapshot_id].halves[revision_id] = (high - low) / 2
    return list(chosen.values())


def of_models(model_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """The official and the Elo ratings of language models in the overall table of each people's source."""
    newest = (
        RatingSnapshot.objects.filter(category=tallies.OVERALL, method__in=("bt", "elo"))
        .values("source", "method")
        .annotate(last=Max("pk"))
        .values_list("last")
    )
    rows = (
        Rating.objects.filter(snapshot__in=newest, revision__language_model__in=model_ids)
        .select_related("snapshot", "revision")
        .order_by("snapshot__source", "snapshot__method")
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row.revision.language_model_id, []).append({
            "source": row.snapshot.source, "category": row.snapshot.category, "method": row.snapshot.method,
            "snapshot": row.snapshot_id, "revision": row.revision.slug, "status": row.status, "rating": row.rating,
            "low": row.low, "high": row.high, "rank_low": row.rank_low, "rank_high": row.rank_high,
            "battles": row.battles, "wins": row.wins, "ties": row.ties,
        })  # fmt: skip
    return found


rating_pages: Publisher[Standing] = Publisher(load, generation)


@dataclass
class AgreementPage:
    """The newest numbers of one judge on one source, and which others there are."""

    source: str
    judge: str
    snapshot: AgreementSnapshot
    pairs: list[tuple[str, str]]
    generation: int


def load_agreement(key: str) -> AgreementPage | None:
    """An agreement page by source and judge (as `key_of` joins them); None where that was never computed."""
    source, _, judge = key.partition("\n")
    mark = generation()
    snapshot = AgreementSnapshot.objects.filter(source=source, judge=judge).order_by("-pk").first()
    return None if snapshot is None else AgreementPage(source, judge, snapshot, agreements(), mark)


def agreements() -> list[tuple[str, str]]:
    """Every (source, judge) with numbers; the site's own arena first."""
    found = set(AgreementSnapshot.objects.values_list("source", "judge"))
    return sorted(found, key=lambda pair: (pair[0] != "arena", *pair))


agreement_pages: Publisher[AgreementPage] = Publisher(load_agreement, generation)
