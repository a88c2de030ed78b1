"""How many votes hold up rank one: the smallest set found whose removal puts another model on top.

Influence functions order the votes by what each does to the gap between the leader and a rival (Broderick, Giordano
and Meager 2020; for arenas Huang et al. 2025); the number is then settled by exact refits, so that what is reported
truly flips the rank. A smaller set may exist: the figure is an upper bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from leaderboard.bt.components import strong_components
from leaderboard.bt.likelihood import inverse_information, maximum_likelihood, win_matrix
from leaderboard.bt.table import POINTS_PER_UNIT, Core
from leaderboard.inference import Floats, Ints
from leaderboard.pair_counts import PairCounts

RIVALS: Final = 5
AHEAD: Final = 1e-9
"""A gap below the solver's accuracy is a tie and no change of rank."""


@dataclass(frozen=True)
class DroppedVotes:
    """So many votes of one kind on one pair; with `tie` the order of the two says nothing."""

    winner: str
    loser: str
    tie: bool
    votes: int


@dataclass(frozen=True)
class Fragility:
    """Dropping `votes` votes (`share` of the core's) makes `rival` overtake `leader`; `dropped` says which, most first.

    `rival_gap` is the rating gap after the drop, in points, above 0 and confirmed by an exact refit; None where the
    drop leaves the leader without a finite rating at all.
    """

    leader: str
    rival: str
    votes: int
    share: float
    dropped: tuple[DroppedVotes, ...]
    rival_gap: float | None


def fragility(counts: PairCounts) -> Fragility | None:
    """The fewest votes found to change rank one, over the nearest rivals; None where fewer than two are rated.

    Counts must be whole votes. None as well where no removal that keeps leader and rival rated changes
    their order.
    """
    names = Core.of(counts).names
    if len(names) < 2:
        return None
    core = _Core.of(counts.only(names))
    order = np.argsort(-core.theta, kind="stable")
    best: Fragility | None = None
    for rival in order[1 : 1 + RIVALS]:
        found = core.drops(int(order[0]), int(rival), fewer_than=best.votes if best else None)
        best = found or best
    return best


@dataclass(frozen=True)
class _Core:
    """The rated core's votes as C cells: (C,) winner, loser, is-a-tie and how many."""

    counts: PairCounts
    theta: Floats
    inverse: Floats
    winner: Ints
    loser: Ints
    tied: Ints
    votes: Ints

    @classmethod
    def of(cls, counts: PairCounts) -> _Core:
        theta = maximum_likelihood(counts.battles, counts.points)
        won, drawn = np.nonzero(counts.wins), np.nonzero(np.triu(counts.ties))
        return cls(
            counts,
            theta,
            inverse_information(counts.battles, theta),
            np.concatenate([won[0], drawn[0]]),
            np.concatenate([won[1], drawn[1]]),
            np.repeat([0, 1], [won[0].size, drawn[0].size]),
            np.rint(np.concatenate([counts.wins[won], counts.ties[drawn]])).astype(np.int64),
        )

    def drops(self, leader: int, rival: int, fewer_than: int | None) -> Fragility | None:
        """Votes to drop, in order of influence on the gap, until an exact refit has the rival ahead."""
        influence = self._influence(leader, rival)
        helpful = np.flatnonzero(influence > 0)
        cells = helpful[np.argsort(-influence[helpful], kind="stable")]
        votes = self._droppable(rival, cells)
        if fewer_than is not None:
            votes = _first(votes, fewer_than - 1)
        if votes.sum() == 0:
            return None
        low, high = 0, self._first_flip(leader, rival, cells, votes, influence[cells])
        if high is None:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            gap = self._gap(leader, rival, cells, _first(votes, middle))
            low, high = (low, middle) if gap is not None and gap > AHEAD else (middle, high)
        gone = _first(votes, high)
        return self._report(leader, rival, cells, gone, self._gap(leader, rival, cells, gone))

    def _droppable(self, rival: int, cells: Ints) -> Ints:
        """(len(cells),) votes that may go: all but the last one that keeps the rival's rating finite."""
        votes = self.votes[cells].copy()
        spoils = (self.loser == rival) | ((self.tied == 1) & (self.winner == rival))
        among = np.flatnonzero(spoils[cells])
        if among.size and votes[among].sum() == self.votes[spoils].sum():
            votes[among[-1]] -= 1
        return votes

    def _influence(self, leader: int, rival: int) -> Floats:
        """(C,): by how much dropping one vote of a cell narrows the gap leader - rival, to first order."""
        contrast = self.inverse[leader] - self.inverse[rival]
        p = win_matrix(self.theta)[self.winner, self.loser]
        surprise = np.where(self.tied == 1, 0.5, 1.0) - p
        return np.asarray((contrast[self.winner] - contrast[self.loser]) * surprise)

    def _first_flip(self, leader: int, rival: int, cells: Ints, votes: Ints, influence: Floats) -> int | None:
        """A number of votes that flips the order: the linear forecast, enlarged until the refit agrees."""
        gap = self.theta[leader] - self.theta[rival]
        total = int(votes.sum())
        gained = np.cumsum(influence * votes)
        at = min(int(np.searchsorted(gained, gap)), cells.size - 1)
        spare = max(0.0, (gained[at] - gap) / influence[at])
        tried = max(1, int(votes[: at + 1].sum() - spare))
        while True:
            tried = min(tried, total)
            new_gap = self._gap(leader, rival, cells, _first(votes, tried))
            if new_gap is not None and new_gap > AHEAD:
                return tried
            if new_gap is None or tried == total:
                return None
            tried += max(1, tried // 2)

    def _gap(self, leader: int, rival: int, cells: Ints, gone: Ints) -> float | None:
        """Rival less leader after an exact refit; infinite where the leader has lost its rating, None the rival."""
        wins, ties = self.counts.wins.copy(), self.counts.ties.copy()
        a, b, tied = self.winner[cells], self.loser[cells], self.tied[cells] == 1
        wins[a[~tied], b[~tied]] -= gone[~tied]
        ties[a[tied], b[tied]] -= gone[tied]
        ties[b[tied], a[tied]] -= gone[tied]
        points = wins + ties / 2
        kept = strong_components(points) == 0
        if not (kept[leader] and kept[rival]):
            return math.inf if kept[rival] else None
        points = points[np.ix_(kept, kept)]
        theta = np.full(kept.size, np.nan)
        theta[kept] = maximum_likelihood(points + points.T, points, self.theta[kept])
        return float(theta[rival] - theta[leader])

    def _report(self, leader: int, rival: int, cells: Ints, gone: Ints, gap: float | None) -> Fragility | None:
        if gap is None:
            return None
        names, votes = self.counts.models, int(gone.sum())
        dropped = [
            DroppedVotes(names[self.winner[c]], names[self.loser[c]], bool(self.tied[c]), int(n))
            for c, n in zip(cells, gone, strict=True)
            if n
        ]
        dropped.sort(key=lambda one: -one.votes)
        points = gap * POINTS_PER_UNIT if math.isfinite(gap) else None
        return Fragility(names[leader], names[rival], votes, votes / self.counts.n_votes, tuple(dropped), points)


def _first(votes: Ints, n: int) -> Ints:
    """How many of each cell's votes are among the first n, the cells being in order."""
    before = np.concatenate([[0], np.cumsum(votes)[:-1]])
    return np.asarray(np.clip(n - before, 0, votes), dtype=np.int64)
