"""What the rating pages say of a standing: dots, switchboard, pair tables, history, in the reader's language."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from arena import demo
from arena.tallies import LANGUAGE, MULTI_TURN, OVERALL
from leaderboard.inference import wilson_interval
from leaderboard.multi_turn_choice import category_title
from leaderboard.rating_charts import Dot, Path, intervals, lines, slopes
from leaderboard.rating_choice import Choice
from leaderboard.rating_standings import Model, Past, Row, Standing, Table
from leaderboard.ratings import METHODS

STATUSES: Final = {
    "no_votes": gettext_lazy("no counted vote yet"),
    "too_few": gettext_lazy("too few votes"),
    "only_wins": gettext_lazy("no finite rating: won every vote"),
    "only_losses": gettext_lazy("no finite rating: lost every vote"),
    "not_connected": gettext_lazy("not joined to the rated models by wins and losses"),
    "no_maximum": gettext_lazy("this method has no finite solution on these votes"),
    "rated": gettext_lazy("rated"),
}
WARNINGS: Final = {
    "all_ties": gettext_lazy("All votes are ties: the intervals say less than they seem to."),
    "several_components": gettext_lazy("The votes fall into groups without a vote between them; one group is rated."),
    "anchor_not_rated": gettext_lazy("The anchor model has no rating here; the mean is 1000 instead."),
    "nobody_rated": gettext_lazy("Nobody can be rated from these votes."),
    "order_dependent": gettext_lazy("Online Elo depends on the order of votes; Bradley–Terry is the official rating."),
    "no_maximum": gettext_lazy("This method has no finite solution on these votes."),
}
LANGUAGES: Final = {"ko": gettext_lazy("Korean"), "en": gettext_lazy("English")}
SHOWN_IN_HISTORY: Final = 4


def category_name(category: str) -> str:
    """A category as a tab says it."""
    if category == OVERALL:
        return _("Overall")
    if category == MULTI_TURN:
        return _("Multi-turn")
    if category.startswith(LANGUAGE):
        code = category.removeprefix(LANGUAGE)
        return str(LANGUAGES.get(code, code))
    return category_title(category)


def rank(row: Row) -> str:
    """A rank interval such as 2 or 2–5; a dash where the method gives none."""
    if row.rank_low is None:
        return "–"
    return str(row.rank_low) if row.rank_low == row.rank_high else f"{row.rank_low}–{row.rank_high}"


def dots(table: Table, language: str, *, is_simulated: bool = False) -> SafeString | str:
    """The interval dots; a simulated model has no page, its dot leads to the ledger."""
    ledger = f"/{language}/arena/ledger/?source={demo.SOURCE}"
    title = _("Ratings with their 95 per cent intervals")
    return intervals(
        title,
        [
            Dot(
                row.model.display_name,
                ledger if is_simulated else f"/{language}/models/{quote(row.model.slug)}/",
                row.rating,
                row.low,
                row.high,
            )
            for row in table.rated
            if row.rating is not None
        ],
    )


@dataclass(frozen=True)
class MethodRow:
    """A model over the methods compared: (rank, rating, half its 95 % interval) each, None where there is no number."""

    model: Model
    cells: list[tuple[int, float, float | None] | None]


def switchboard(standing: Standing, choice: Choice) -> tuple[list[str], list[MethodRow]]:
    """The compared methods that have a table, and every model's place by each, in the order of the first."""
    names = [name for name in choice.methods if name in standing.tables]
    places: list[dict[int, tuple[int, float, float | None]]] = []
    models: dict[int, Model] = {}
    for name in names:
        table = standing.tables[name]
        models |= {row.model.revision_id: row.model for row in table.rows}
        places.append({
            row.model.revision_id: (place, row.rating, _half(row))
            for place, row in enumerate(table.rated, 1)
            if row.rating is not None
        })  # fmt: skip
    order = sorted(models, key=lambda pk: [place[pk][0] if pk in place else 10**6 for place in places])
    return names, [MethodRow(models[pk], [place.get(pk) for place in places]) for pk in order]


def _half(row: Row) -> float | None:
    return None if row.low is None or row.high is None else (row.high - row.low) / 2


def slope_chart(names: list[str], rows: list[MethodRow], size: int) -> SafeString | str:
    """The first `size` models of the switchboard as lines."""
    paths = [Path(row.model.display_name, [cell[1] if cell else None for cell in row.cells]) for row in rows[:size]]
    return slopes(_("Ranks by method"), [str(METHODS[name]) for name in names], paths)


@dataclass(frozen=True)
class PairCell:
    """One cell of the pair tables: what the row's model made of the column's."""

    href: str
    text: str
    title: str
    step: int


@dataclass(frozen=True)
class PairRow:
    model: Model
    cells: list[PairCell | None]
    average: str


def pairs(standing: Standing, table: Table, choice: Choice, language: str, *, counts: bool) -> list[PairRow]:
    """The first models against each other: win fractions without ties, or numbers of votes.

    The average is the unweighted mean over the rivals met, as the Arena shows it.
    """
    rows = [row for row in table.rows if row.battles][: choice.size]
    most = max((sum(standing.pair(a.model.revision_id, b.model.revision_id)) for a in rows for b in rows), default=0)
    found = []
    for row in rows:
        cells = [_pair(standing, row, other, most, language, counts=counts) for other in rows]
        shares = [share for other in rows if (share := _share(standing, row, other)) is not None]
        average = f"{100 * sum(shares) / len(shares):.0f}" if shares else "–"
        found.append(PairRow(row.model, cells, average))
    return found


def _share(standing: Standing, row: Row, other: Row) -> float | None:
    found = standing.pair(row.model.revision_id, other.model.revision_id)
    decided = found.low_wins + found.high_wins
    return found.low_wins / decided if decided and row is not other else None


def _pair(standing: Standing, row: Row, other: Row, most: int, language: str, *, counts: bool) -> PairCell | None:
    if row is other:
        return None
    found = standing.pair(row.model.revision_id, other.model.revision_id)
    votes = sum(found)
    if not votes:
        return None
    query = urlencode({"source": standing.source.slug, "a": row.model.revision, "b": other.model.revision})
    if standing.category != OVERALL:
        query += f"&{urlencode({'category': standing.category})}"
    href = f"/{language}/arena/ratings/votes/?{query}"
    decided = found.low_wins + found.high_wins
    share = wilson_interval(found.low_wins, decided)
    title = _("%(a)s against %(b)s: %(wins)d won, %(losses)d lost, %(ties)d undecided") % {
        "a": row.model.display_name, "b": other.model.display_name, "wins": found.low_wins, "losses": found.high_wins,
        "ties": found.ties + found.both_bad,
    }  # fmt: skip
    if share is not None:
        title += f" · {100 * share.value:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}]"
    if counts:
        return PairCell(href, f"{votes:,}", title, min(9, 10 * votes // (most + 1)))
    if share is None:
        return PairCell(href, _("ties"), title, 0)
    return PairCell(href, f"{100 * share.value:.0f}", title, min(9, int(10 * share.value)))


@dataclass(frozen=True)
class HistoryRow:
    at: str
    n_votes: int
    cells: list[tuple[float, float | None] | None]


def history(standing: Standing, table: Table) -> tuple[SafeString | str, list[Model], list[HistoryRow]]:
    """The official ratings of the first models over the snapshots kept: chart, models, newest row first."""
    models = [row.model for row in table.rated[:SHOWN_IN_HISTORY]]
    stamps = [f"{timezone.localtime(past.at):%m-%d %H:%M}" for past in standing.history]
    values = [[past.ratings.get(model.revision_id) for past in standing.history] for model in models]
    chart = lines(_("Ratings over time"), stamps, [Path(m.name, v) for m, v in zip(models, values, strict=True)])
    rows = [
        HistoryRow(stamp, past.n_votes, [_past(past, model.revision_id) for model in models])
        for stamp, past in zip(stamps, standing.history, strict=True)
    ]
    return chart, models, rows[::-1]


def _past(past: Past, revision: int) -> tuple[float, float | None] | None:
    rating = past.ratings.get(revision)
    return None if rating is None else (rating, past.halves.get(revision))


@dataclass(frozen=True)
class Taste:
    """What a feature of style is worth to voters: odds ratio for one standard deviation more, None where unknown."""

    name: str
    value: float | None
    low: float | None
    high: float | None


FEATURES: Final = {
    "length": gettext_lazy("Length"),
    "headers": gettext_lazy("Headings"),
    "lists": gettext_lazy("List items"),
    "bold": gettext_lazy("Bold passages"),
}


def tastes(table: Table | None) -> list[Taste]:
    """The style coefficients of a snapshot as odds ratios; none for other methods."""
    found = table.snapshot.details.get("coefficients", []) if table else []
    return [
        Taste(str(FEATURES.get(one["feature"], one["feature"])),
              *(None if one[key] is None else math.exp(min(one[key], 700.0)) for key in ("value", "low", "high")))
        for one in found
    ]  # fmt: skip


@dataclass(frozen=True)
class Gauge:
    """A category's line of the gauge; `wanted` are its votes when it is well measured, None where nobody is rated."""

    name: str
    query: str
    votes: int
    half_width: float | None
    needed: int | None

    @property
    def wanted(self) -> int | None:
        return None if self.needed is None else self.votes + self.needed


def gauges(standing: Standing, choice: Choice) -> list[Gauge]:
    """How far every category is."""
    return [
        Gauge(category_name(one.category), choice.query(category=one.category), one.n_votes, one.half_width, one.needed)
        for one in standing.progress
    ]


def style_note(standing: Standing) -> str:
    """For how many votes the style of the answers is known, where it is not known for all."""
    official, styled = standing.table("bt"), standing.table("bt-style")
    if official is None:
        return ""
    known, counted = styled.snapshot.n_votes if styled else 0, official.snapshot.n_votes
    if known >= counted:
        return ""
    return _("The style of the answers is known for %(known)s of %(all)s votes; the others are left out here.") % {
        "known": f"{known:,}", "all": f"{counted:,}",
    }  # fmt: skip


def fragility(standing: Standing) -> dict[str, Any] | None:
    """How few votes hold up rank one, as the page says it; None where it was not worked out."""
    table = standing.table("bt")
    found = table.snapshot.details.get("fragility") if table else None
    if not found or table is None:
        return None
    names = {row.model.revision: row.model.display_name for row in table.rows}
    if found["leader"] not in names or found["rival"] not in names:
        return None
    kinds = [
        {
            "votes": one["votes"],
            "text": (_("%(a)s tied with %(b)s") if one["tie"] else _("%(a)s beat %(b)s"))
            % {"a": names.get(one["winner"], "?"), "b": names.get(one["loser"], "?")},
        }
        for one in found["dropped"][:6]
    ]
    sentence = ngettext(
        "Without %(votes)s vote (%(share)s of all) %(rival)s would stand above %(leader)s.",
        "Without %(votes)s votes (%(share)s of all) %(rival)s would stand above %(leader)s.",
        found["votes"],
    ) % {
        "votes": f"{found['votes']:,}", "share": f"{100 * found['share']:.2f} %", "rival": names[found["rival"]],
        "leader": names[found["leader"]],
    }  # fmt: skip
    return {"sentence": sentence, "kinds": kinds, "more": max(0, len(found["dropped"]) - 6)}
