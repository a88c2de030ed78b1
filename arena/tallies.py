"""Pair counts kept as votes arrive: added with the vote, taken away with its exclusion, in the same transaction.

A recount of every vote must give the same table (`difference` is empty); ratings are fitted on these counts, so that a
refit never reads an old vote again. Rows are written in the order of their keys, so that two writers never deadlock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from arena.models import Exclusion, PairTally, Vote, VoteSource

OVERALL: Final = "overall"
MULTI_TURN: Final = "multi-turn"
LANGUAGE: Final = "language:"
BATCH: Final = 400

_INTO: Final = """
INSERT INTO arena_pairtally (source_id, category, left_id, right_id, left_wins, right_wins, ties, both_bad)
"""
_ROW: Final = "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
# One statement for all rows: PostgreSQL takes ten times as long for one each.
_ROWS: Final = """
SELECT %s, *
FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
"""
_ADD: Final = """
ON CONFLICT (source_id, category, left_id, right_id) DO UPDATE SET
    left_wins = arena_pairtally.left_wins + excluded.left_wins,
    right_wins = arena_pairtally.right_wins + excluded.right_wins,
    ties = arena_pairtally.ties + excluded.ties,
    both_bad = arena_pairtally.both_bad + excluded.both_bad
"""


class Cell(NamedTuple):
    """Whose counts: `low` < `high` are revision ids."""

    category: str
    low: int
    high: int


_UNDECIDED: Final[dict[str, int]] = {Vote.Winner.TIE.value: 2, Vote.Winner.BOTH_BAD.value: 3}


class Counts(NamedTuple):
    """Votes for the revision with the lower id, for the other, undecided, and calling both bad."""

    low_wins: int = 0
    high_wins: int = 0
    ties: int = 0
    both_bad: int = 0


class Group(NamedTuple):
    """Votes that count alike, as a GROUP BY gives them."""

    left: int
    right: int
    winner: str
    category: str
    language: str
    turn: int | None
    votes: int


@lru_cache(maxsize=4096)
def categories(category: str, language: str, turn: int | None) -> tuple[str, ...]:
    """The tables a vote counts in: everything, each of its categories (separated by |), its language, multi-turn."""
    named = [part.strip() for part in category.split("|")]
    found = [OVERALL, *(part for part in named if part)]
    if language:
        found.append(f"{LANGUAGE}{language}")
    if turn is not None and turn > 1:
        found.append(MULTI_TURN)
    return tuple(dict.fromkeys(found))


def in_category(category: str) -> Q:
    """The votes that `categories` puts into a category, as far as the database can tell: a superset at most."""
    if category in ("", OVERALL):
        return Q()
    if category == MULTI_TURN:
        return Q(turn__gt=1)
    if category.startswith(LANGUAGE):
        return Q(language=category.removeprefix(LANGUAGE))
    return Q(category=category) | (Q(category__contains="|") & Q(category__contains=category))


def tabulate(groups: Iterable[Group]) -> dict[Cell, Counts]:
    """The counts of votes, by category and pair in order."""
    table: dict[Cell, list[int]] = {}
    for left, right, winner, category, language, turn, votes in groups:
        low, high = (left, right) if left < right else (right, left)
        column = _column(winner, left == low)
        for name in categories(category, language, turn):
            counts = table.get(cell := Cell(name, low, high))
            if counts is None:
                counts = table[cell] = [0, 0, 0, 0]
            counts[column] += votes
    return {cell: Counts(*counts) for cell, counts in table.items()}


def _column(winner: str, left_is_low: bool) -> int:
    """Which of `Counts` a verdict adds to."""
    if winner in _UNDECIDED:
        return _UNDECIDED[winner]
    return 0 if (winner == "a") == left_is_low else 1


def add(source_id: int, table: Mapping[Cell, Counts], times: int = 1) -> None:
    """Adds counts (or takes them away with `times` -1) to what is kept. In the caller's transaction."""
    rows: list[tuple[int | str, ...]] = [
        (cell.category, cell.low, cell.high, *(times * count for count in counts))
        for cell, counts in sorted(table.items())
        if any(counts)
    ]
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.executemany(f"{_INTO}{_ROW}{_ADD}", [(source_id, *row) for row in rows])
        elif rows:
            cursor.execute(f"{_INTO}{_ROWS}{_ADD}", [source_id, *map(list, zip(*rows, strict=True))])


def count_vote(vote: Vote) -> None:
    """Counts a vote that was just stored; call it in the transaction that stores it."""
    count_votes([vote])


def count_votes(votes: Sequence[Vote]) -> None:
    """The same of several votes of one source."""
    if votes:
        add(votes[0].source_id, tabulate([_group(vote) for vote in votes]))


def exclude(votes: Iterable[int], *, rule: str, actor: str, detail: str = "") -> int:
    """Takes votes (ids) out of the count by a rule; how many it had not been applied to before.

    A vote under several rules leaves the count once, with the first.
    """
    added = 0
    for ids in _batches(votes):
        with transaction.atomic():
            chosen = list(Vote.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
            active = _active_rules(ids)
            fresh = [vote for vote in chosen if rule not in active.get(vote.pk, ())]
            Exclusion.objects.bulk_create(
                Exclusion(vote=vote, rule=rule, detail=detail[:300], actor=actor) for vote in fresh
            )
            _move([vote for vote in fresh if vote.pk not in active], -1)
            added += len(fresh)
    return added


def lift(exclusions: Iterable[int], *, actor: str) -> int:
    """Lifts exclusions (ids); a vote counts again when its last one is gone. How many were lifted."""
    lifted = 0
    for ids in _batches(exclusions):
        with transaction.atomic():
            affected = sorted(set(Exclusion.objects.filter(pk__in=ids).values_list("vote_id", flat=True)))
            chosen = list(Vote.objects.select_for_update().filter(pk__in=affected).order_by("pk"))
            before = _active_rules(affected)
            open_ones = Exclusion.objects.filter(pk__in=ids, lifted_at=None)
            lifted += open_ones.update(lifted_at=timezone.now(), lifted_by=actor)
            after = _active_rules(affected)
            _move([vote for vote in chosen if vote.pk in before and vote.pk not in after], 1)
    return lifted


def counted(source: VoteSource) -> QuerySet[Vote]:
    """The votes of a source that no exclusion takes out."""
    excluded = Exclusion.objects.filter(vote=OuterRef("pk"), lifted_at=None)
    return Vote.objects.filter(~Exists(excluded), source=source)


def groups(votes: QuerySet[Vote]) -> Iterator[Group]:
    """Votes that count alike, counted by the database."""
    fields = ("left_id", "right_id", "winner", "category", "language", "turn")
    rows = votes.order_by().values_list(*fields).annotate(votes=Count("pk"))
    return (Group(*row) for row in rows.iterator(chunk_size=5000))


def kept(source: VoteSource) -> dict[Cell, Counts]:
    """The counts as they are kept; pairs without votes left out."""
    rows = PairTally.objects.filter(source=source).values_list(
        "category", "left_id", "right_id", "left_wins", "right_wins", "ties", "both_bad"
    )
    table = {Cell(*row[:3]): Counts(*row[3:]) for row in rows.iterator(chunk_size=5000)}
    return {cell: counts for cell, counts in table.items() if any(counts)}


def recount(source: VoteSource) -> dict[Cell, Counts]:
    """The counts from every vote."""
    return tabulate(groups(counted(source)))


def difference(source: VoteSource) -> dict[Cell, tuple[Counts, Counts]]:
    """Where the kept counts and a recount differ: (kept, recounted). Empty, or something wrote past this module."""
    with transaction.atomic():
        have, want = kept(source), recount(source)
    cells = have.keys() | want.keys()
    pairs = {cell: (have.get(cell, Counts()), want.get(cell, Counts())) for cell in cells}
    return {cell: pair for cell, pair in pairs.items() if pair[0] != pair[1]}


def _batches(ids: Iterable[int]) -> Iterator[Sequence[int]]:
    ordered = sorted(set(ids))
    return (ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH))


def _move(votes: Iterable[Vote], times: int) -> None:
    by_source: dict[int, Counter[Group]] = {}
    for vote in votes:
        by_source.setdefault(vote.source_id, Counter())[_group(vote)] += 1
    for source_id, found in sorted(by_source.items()):
        add(source_id, tabulate(group._replace(votes=n) for group, n in found.items()), times)


def _group(vote: Vote) -> Group:
    return Group(vote.left_id, vote.right_id, vote.winner, vote.category, vote.language, vote.turn, 1)


def _active_rules(votes: Iterable[int]) -> dict[int, set[str]]:
    rules: dict[int, set[str]] = {}
    for vote_id, rule in Exclusion.objects.filter(vote__in=list(votes), lifted_at=None).values_list("vote_id", "rule"):
        rules.setdefault(vote_id, set()).add(rule)
    return rules
