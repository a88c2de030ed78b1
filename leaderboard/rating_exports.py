"""The tables that verdicts give: votes with the hash chain that proves them, and ratings. Never a text of a battle."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Max

from arena import chain
from arena.models import Exclusion, VoteSource
from leaderboard.exports import Column, Kind, Row, register
from leaderboard.models import Rating, RatingSnapshot

VOTE_COLUMNS = (
    Column("source"),
    Column("judge"),
    Column("licence"),
    *(Column(name, "integer" if name in ("id", "turn") else "text") for name in chain.FIELDS),
    Column("excluded", "json"),
    Column("chain"),
)
RATING_COLUMNS = (
    Column("source"),
    Column("category"),
    Column("method"),
    Column("snapshot", "integer"),
    Column("input_hash"),
    Column("votes", "integer"),
    Column("model"),
    Column("revision"),
    Column("status"),
    Column("rating", "number"),
    Column("low", "number"),
    Column("high", "number"),
    Column("rank_low", "integer"),
    Column("rank_high", "integer"),
    Column("battles", "integer"),
    Column("wins", "integer"),
    Column("ties", "integer"),
)


def vote_rows(only: str | None) -> Iterator[Row]:
    """Every vote of every source (or of one) in the order of its log, excluded ones too with their rules.

    `chain` is the link after the vote as `arena.chain` makes it of the columns id to cast_at.
    """
    sources = VoteSource.objects.order_by("slug")
    for source in sources if only is None else sources.filter(slug=only):
        rules: dict[int, list[str]] = {}
        active = Exclusion.objects.filter(vote__source=source, lifted_at=None).order_by("pk")
        for vote_id, rule in active.values_list("vote_id", "rule"):
            rules.setdefault(vote_id, []).append(rule)
        for entry in chain.log(source):
            excluded = rules.get(entry.vote_id, [])
            yield (source.slug, source.judge, source.licence, *entry.values, excluded, entry.link)


def rating_rows(only: str | None) -> Iterator[Row]:
    """The newest snapshot of every source (or of one), category and method."""
    snapshots = RatingSnapshot.objects.all() if only is None else RatingSnapshot.objects.filter(source=only)
    newest = snapshots.values("source", "category", "method").annotate(last=Max("pk")).values_list("last")
    rows = Rating.objects.filter(snapshot__in=newest, revision__language_model__hidden_reason="").values_list(
        "snapshot__source", "snapshot__category", "snapshot__method", "snapshot_id", "snapshot__input_hash",
        "snapshot__n_votes", "revision__language_model__slug", "revision__slug", "status", "rating", "low", "high",
        "rank_low", "rank_high", "battles", "wins", "ties",
    )  # fmt: skip
    yield from rows.order_by("snapshot__source", "snapshot_id", "pk").iterator(chunk_size=2000)


register(Kind("votes", VOTE_COLUMNS, vote_rows, by="source"))
register(Kind("ratings", RATING_COLUMNS, rating_rows, by="source"))
