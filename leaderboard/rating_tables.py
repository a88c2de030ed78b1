"""Ratings as a table that leaves the site."""

from __future__ import annotations

from django.utils.translation import gettext as _

from leaderboard.rating_standings import Standing, Table
from leaderboard.tables import Table as File


def ratings_table(standing: Standing, table: Table) -> File:
    """A method's ratings in the reader's language; missing is empty, with the status beside it."""
    head = [_("Source"), _("Category"), _("Method"), _("Rank, best"), _("Rank, worst"), _("Model"), _("Revision"),
            _("Rating"), _("Lower bound"), _("Upper bound"), _("Battles"), _("Wins"), _("Ties"), _("Status"),
            _("Snapshot")]  # fmt: skip
    rows = [
        [
            standing.source.slug, standing.category, table.method, row.rank_low, row.rank_high, row.model.name,
            row.model.revision, row.rating, row.low, row.high, row.battles, row.wins, row.ties, row.status,
            table.snapshot.pk,
        ]
        for row in table.rows
    ]  # fmt: skip
    return File(head, rows)
