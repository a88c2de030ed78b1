"""What ratings are fitted on: the kept pair counts of a source by category, and what no count can tell.

Style and per-voter caps need the votes themselves and Elo needs their order; everything else is a table of counts that
the arena keeps as votes arrive (`arena.tallies`), so that a refit costs the same after any number of votes.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from django.db.models import Count, Max

from arena import tallies
from arena.models import Exclusion, Vote, VoteSource
from leaderboard.inference import Ints
from leaderboard.pair_counts import Outcome, PairCounts
from leaderboard.style import FEATURES
from runners.models import ModelRevision

OUTCOME: Final[dict[str, Outcome]] = {"a": "left", "b": "right", "tie": "tie", "bothbad": "both_bad"}
CODE: Final = {"a": 0, "b": 1, "tie": 2, "bothbad": 3}
VOTER_CAP: Final = 50
"""Votes of one voter that count in full where voters are capped; beyond, all of theirs weigh CAP/n."""


@dataclass(frozen=True)
class Inputs:
    """One source as it stands: pair counts by category (models are revision slugs) and what went into them."""

    source: VoteSource
    slugs: dict[int, str]
    counts: dict[str, PairCounts]
    up_to_vote: int
    excluded: dict[str, int]

    @property
    def ids(self) -> dict[str, int]:
        return {slug: pk for pk, slug in self.slugs.items()}


def read(source: VoteSource) -> Inputs:
    """Three queries; the last vote is read first, so that the counts never lack a vote up to it."""
    last = Vote.objects.filter(source=source).aggregate(last=Max("pk"))["last"] or 0
    kept = tallies.kept(source)
    ids = {pk for cell in kept for pk in (cell.low, cell.high)}
    slugs = dict(ModelRevision.objects.filter(pk__in=ids).values_list("pk", "slug"))
    return Inputs(source, slugs, _by_category(kept, slugs), last, excluded(source))


def recounted(source: VoteSource) -> dict[str, PairCounts]:
    """The same counts from every vote; their digests equal those of the kept ones."""
    table = tallies.recount(source)
    ids = {pk for cell in table for pk in (cell.low, cell.high)}
    return _by_category(table, dict(ModelRevision.objects.filter(pk__in=ids).values_list("pk", "slug")))


def excluded(source: VoteSource) -> dict[str, int]:
    """Votes that do not count, by rule; a vote under several rules stands under each."""
    active = Exclusion.objects.filter(vote__source=source, lifted_at=None)
    return dict(active.values_list("rule").annotate(n=Count("vote_id")).order_by("rule"))


def _by_category(table: dict[tallies.Cell, tallies.Counts], slugs: dict[int, str]) -> dict[str, PairCounts]:
    groups: defaultdict[str, list[tuple[str, str, Outcome, float]]] = defaultdict(list)
    for (category, low, high), counts in table.items():
        first, second = slugs[low], slugs[high]
        for outcome, votes in zip(("left", "right", "tie", "both_bad"), counts, strict=True):
            if votes:
                groups[category].append((first, second, outcome, votes))  # type: ignore[arg-type]
    names = {category: sorted({name for row in rows for name in row[:2]}) for category, rows in groups.items()}
    return {category: PairCounts.from_groups(rows, names[category]) for category, rows in groups.items()}


def capped(inputs: Inputs, cap: int = VOTER_CAP) -> dict[str, PairCounts]:
    """Counts in which no voter weighs more than `cap` votes: those with n > cap have each vote weigh cap/n."""
    votes = tallies.counted(inputs.source).filter(voter__isnull=False)
    heavy = dict(votes.order_by().values_list("voter").annotate(n=Count("pk")).filter(n__gt=cap))
    surplus: defaultdict[str, list[tuple[str, str, Outcome, float]]] = defaultdict(list)
    voters = sorted(heavy)
    for start in range(0, len(voters), 500):
        chosen = votes.filter(voter__in=voters[start : start + 500]).order_by()
        fields = ("voter_id", "left_id", "right_id", "winner", "category", "language", "turn")
        for voter, left, right, winner, category, language, turn, n in (
            chosen.values_list(*fields).annotate(n=Count("pk")).iterator(chunk_size=5000)
        ):
            row = (inputs.slugs[left], inputs.slugs[right], OUTCOME[winner], n * (1 - cap / heavy[voter]))
            for name in tallies.categories(category, language, turn):
                surplus[name].append(row)
    return {
        category: counts.minus(PairCounts.from_groups(surplus[category], counts.models))
        if category in surplus
        else counts
        for category, counts in inputs.counts.items()
    }


@dataclass(frozen=True)
class StyledVotes:
    """Votes whose answers' style is known: model indices and outcome codes (N,), counts left and right (k, N)."""

    models: tuple[str, ...]
    left: Ints
    right: Ints
    outcome: Ints
    styles: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


class _StyledRows:
    """Rows of one category as they are read, packed: 44 bytes each, since there may be millions."""

    def __init__(self, models: tuple[str, ...], ids: dict[str, int]) -> None:
        self.models = models
        self.place = {ids[name]: i for i, name in enumerate(models)}
        self.votes, self.styles = array("i"), array("f")

    def columns(self) -> StyledVotes:
        left, right, outcome = np.frombuffer(self.votes, dtype=np.int32).reshape(-1, 3).T.astype(np.int64)
        sides = np.frombuffer(self.styles, dtype=np.float32).reshape(-1, 2, len(FEATURES)).transpose(1, 2, 0)
        return StyledVotes(self.models, left, right, outcome, (sides[0], sides[1]))


def styled(inputs: Inputs) -> dict[str, StyledVotes]:
    """The votes with style counts, by category; empty where the source has none."""
    votes = tallies.counted(inputs.source).filter(style__isnull=False).order_by("pk")
    ids, found = inputs.ids, dict[str, _StyledRows]()
    fields = ("left_id", "right_id", "winner", "style", "category", "language", "turn")
    for left, right, winner, style, category, language, turn in votes.values_list(*fields).iterator(chunk_size=5000):
        sides = (*_style(style, "left"), *_style(style, "right"))
        for name in tallies.categories(category, language, turn):
            rows = found.get(name)
            if rows is None:
                rows = found[name] = _StyledRows(inputs.counts[name].models, ids)
            rows.votes.extend((rows.place[left], rows.place[right], CODE[winner]))
            rows.styles.extend(sides)
    return {category: rows.columns() for category, rows in found.items()}


def _style(style: dict[str, dict[str, float]], side: str) -> tuple[float, ...]:
    counts = style.get(side, {})
    return tuple(float(counts.get(name, counts.get("tokens", 0) if name == "length" else 0)) for name in FEATURES)


def ordered(source: VoteSource, after: int) -> Iterator[tuple[int, int, int, str, str, str, int | None]]:
    """Counted votes above an id in the order of their ids: id, left, right, winner, category, language, turn."""
    votes = tallies.counted(source).filter(pk__gt=after).order_by("pk")
    fields = ("pk", "left_id", "right_id", "winner", "category", "language", "turn")
    return votes.values_list(*fields).iterator(chunk_size=10_000)
