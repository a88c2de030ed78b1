"""The figures of the fair-play page, from the tables the sampler draws from."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from arena import roster
from arena.models import Battle, Entry
from arena.pairing import Contender, exposure, pair_of
from runners.models import ModelRevision

MOST_IN_MAP = 40


@dataclass(frozen=True)
class Line:
    """One model in a draw: battles it was shown in so far, counted votes, chance of being in the next battle."""

    name: str
    revision: ModelRevision
    terms: Contender
    battles: int
    votes: int
    share: float


@dataclass(frozen=True)
class Cell:
    """The probability of a pair; None on the diagonal. `shade` is 0 to 9 of the largest."""

    probability: float | None
    shade: int


@dataclass(frozen=True)
class Organisation:
    """An organisation's share: models in the draw, unreleased ones, battles so far, chance in the next."""

    name: str
    models: int
    private: int
    battles: int
    share: float


@dataclass(frozen=True)
class Draw:
    """One kind of battle: its lines, its organisations, and the map of pairs (of the first 40 models)."""

    kind: str
    lines: list[Line]
    organisations: list[Organisation]
    names: list[str]
    rows: list[tuple[str, list[Cell]]]
    left_out: int


def draws() -> list[Draw]:
    """The draws that are open now."""
    shown = _shown()
    pools = [roster.pool(kind) for kind in (Battle.Kind.LIVE, Battle.Kind.RECORDED)]
    return [_draw(pool, shown) for pool in pools if pool.is_open]


def _draw(pool: roster.Pool, battles: dict[tuple[str, int], int]) -> Draw:
    records = roster.records_of(pool.revisions.values())
    votes: dict[str, int] = {}
    for pair, record in records.items():
        for name in pair:
            votes[name] = votes.get(name, 0) + record.votes
    shares = exposure(pool.table)
    lines = [
        Line(
            one.name,
            revision := pool.revisions[one.name],
            one,
            battles.get((pool.kind, revision.pk), 0),
            votes.get(one.name, 0),
            shares.get(one.name, 0.0),
        )
        for one in pool.contenders
    ]
    lines.sort(key=lambda line: (-line.share, line.name))
    names = [line.name for line in lines[:MOST_IN_MAP]]
    most = max(pool.table.values(), default=1.0)
    shown = {line.name: line.revision.language_model.display_name for line in lines[:MOST_IN_MAP]}
    rows = [(shown[name], [_cell(pool, name, other, most) for other in names]) for name in names]
    return Draw(pool.kind, lines, _organisations(lines), list(shown.values()), rows, len(lines) - len(names))


def _cell(pool: roster.Pool, one: str, other: str, most: float) -> Cell:
    if one == other:
        return Cell(None, 0)
    probability = pool.table.get(pair_of(one, other), 0.0)
    return Cell(probability, min(9, int(10 * probability / most)) if most else 0)


def _organisations(lines: list[Line]) -> list[Organisation]:
    by_name: dict[str, list[Line]] = {}
    for line in lines:
        by_name.setdefault(line.terms.organisation, []).append(line)
    made = [
        Organisation(
            name,
            len(own),
            sum(line.terms.is_private for line in own),
            sum(line.battles for line in own),
            sum(line.share for line in own),
        )
        for name, own in by_name.items()
    ]
    return sorted(made, key=lambda one: -one.share)


def _shown() -> dict[tuple[str, int], int]:
    """In how many blind battles of each kind each revision was shown, by either side."""
    shown: dict[tuple[str, int], int] = {}
    for side in ("left_revision", "right_revision"):
        rows = Battle.objects.filter(mode=Battle.Mode.BLIND).order_by().values_list("kind", side)
        for kind, revision, count in rows.annotate(n=Count("pk")):
            shown[kind, revision] = shown.get((kind, revision), 0) + count
    return shown


def retired() -> list[Entry]:
    """Models taken out for good, with the reason; the newest first."""
    gone = Entry.objects.exclude(retired_at=None).select_related("revision__language_model")
    return list(gone.order_by("-retired_at"))
