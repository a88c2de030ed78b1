"""Pair counts: all that Bradley-Terry needs to know about any number of votes.

With a tie as half a win, wins and ties per pair are a sufficient statistic, so votes are counted once as they arrive
and never read again. Counts of one (source, category) are kept as sums of increments; an exclusion is a negative
increment, and a full recount must give the same `digest`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from leaderboard.inference import Floats

Outcome = Literal["left", "right", "tie", "both_bad"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True)
class PairCounts:
    """Votes among M models, as three (M, M) float arrays with zero diagonals.

    wins[i, j]: votes for i over j; ties[i, j]: undecided votes of the pair (symmetric), those calling both answers bad
    included; both_bad[i, j]: the latter alone, kept for display (symmetric). Counts may be fractional where votes
    carry weights, and negative in an increment.
    """

    models: tuple[str, ...]
    wins: Floats
    ties: Floats
    both_bad: Floats

    @classmethod
    def empty(cls, models: Iterable[str]) -> Self:
        """No votes among these models."""
        names = _distinct(models)
        shape = (len(names), len(names))
        return cls(names, np.zeros(shape), np.zeros(shape), np.zeros(shape))

    @classmethod
    def from_votes(
        cls,
        models: Iterable[str],
        left: npt.ArrayLike,
        right: npt.ArrayLike,
        outcome: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
    ) -> Self:
        """Count votes given as three (N,) integer arrays: indices into `models` and codes into `OUTCOMES`.

        `weights` (N,) counts each vote that many times (negative to take votes out). Raises ValueError for an unknown
        model or outcome, or a model against itself.
        """
        names = _distinct(models)
        a, b, code = (np.asarray(column, None if np.size(column) else np.int64) for column in (left, right, outcome))
        size = len(names)
        if a.size and not 0 <= min(a.min(), b.min()) <= max(a.max(), b.max()) < size:
            raise ValueError(f"a vote names a model outside the {size} given")
        if a.size and not 0 <= code.min() <= code.max() < len(OUTCOMES):
            raise ValueError(f"an outcome code must lie in 0..{len(OUTCOMES) - 1} ({', '.join(OUTCOMES)})")
        cell = code.astype(np.int64)
        for column in (a, b):
            cell *= size
            cell += column
        weighed = None if weights is None else np.asarray(weights)
        counted = np.bincount(cell, weighed, minlength=len(OUTCOMES) * size * size)
        by_outcome = counted.astype(np.float64, copy=False).reshape(len(OUTCOMES), size, size)
        if by_outcome.diagonal(axis1=1, axis2=2).any() or (weighed is not None and (a == b).any()):
            raise ValueError("a vote pairs a model with itself; leave such battles out")
        left_won, right_won, tied, bad = by_outcome
        both_bad = bad + bad.T
        return cls(names, left_won + right_won.T, both_bad + tied + tied.T, both_bad)

    @classmethod
    def from_groups(cls, groups: Iterable[tuple[str, str, Outcome, float]], models: Iterable[str] = ()) -> Self:
        """Count rows (left, right, outcome, how many) as a GROUP BY gives them; `models` adds those without votes."""
        rows = list(groups)
        unknown = {row[2] for row in rows} - set(OUTCOMES)
        if unknown:
            raise ValueError(f"unknown outcome {min(unknown)!r}; use one of {', '.join(OUTCOMES)}")
        names = tuple(dict.fromkeys([*models, *(name for row in rows for name in row[:2])]))
        index = {name: i for i, name in enumerate(names)}
        return cls.from_votes(
            names,
            np.array([index[row[0]] for row in rows], dtype=np.int64),
            np.array([index[row[1]] for row in rows], dtype=np.int64),
            np.array([OUTCOMES.index(row[2]) for row in rows], dtype=np.int64),
            np.array([row[3] for row in rows], dtype=np.float64),
        )

    @property
    def battles(self) -> Floats:
        """(M, M) symmetric: votes of every kind on each pair."""
        return self.wins + self.wins.T + self.ties

    @property
    def points(self) -> Floats:
        """(M, M): wins plus half the ties of row over column."""
        return self.wins + self.ties / 2

    @property
    def n_votes(self) -> float:
        """All votes; a vote is counted once although it stands in two rows of `battles`."""
        return float(self.wins.sum() + self.ties.sum() / 2)

    def plus(self, other: PairCounts) -> PairCounts:
        """The sum over the union of both sets of models, this one's order first."""
        if other.models == self.models:
            return PairCounts(
                self.models, self.wins + other.wins, self.ties + other.ties, self.both_bad + other.both_bad
            )
        names = tuple(dict.fromkeys(self.models + other.models))
        total = PairCounts.empty(names)
        for part in (self, other):
            at = np.ix_(*[[names.index(name) for name in part.models]] * 2)
            total.wins[at] += part.wins
            total.ties[at] += part.ties
            total.both_bad[at] += part.both_bad
        return total

    def minus(self, other: PairCounts) -> PairCounts:
        """Take votes out. Raises ValueError where more would go than were ever counted."""
        left = self.plus(replace(other, wins=-other.wins, ties=-other.ties, both_bad=-other.both_bad))
        for kept in (left.wins, left.ties, left.both_bad):
            if (kept < -1e-9).any():
                i, j = np.unravel_index(int(np.argmin(kept)), kept.shape)
                raise ValueError(f"more votes on {left.models[i]} and {left.models[j]} are taken out than were counted")
        return left

    def only(self, models: Sequence[str]) -> PairCounts:
        """The votes among these models alone, in this order."""
        at = np.ix_(*[[self.models.index(name) for name in models]] * 2)
        return PairCounts(tuple(models), self.wins[at], self.ties[at], self.both_bad[at])

    def without_ties(self) -> PairCounts:
        """The decisive votes alone."""
        nothing = np.zeros_like(self.ties)
        return PairCounts(self.models, self.wins, nothing, nothing)

    def digest(self) -> str:
        """SHA-256 of the counts, the same whatever the order of models and of votes; models without votes left out."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        order = np.array(sorted(range(len(self.models)), key=self.models.__getitem__), dtype=np.int64)
        cells = np.stack([self.wins, self.ties, self.both_bad], axis=-1)[np.ix_(order, order)]
        found = np.nonzero(cells.any(axis=-1))
        names = [self.models[i] for i in order]
        text = "\n".join(
            f"{names[i]}\x1f{names[j]}\x1f{wins:.9g}\x1f{ties:.9g}\x1f{bad:.9g}"
            for i, j, (wins, ties, bad) in zip(*(part.tolist() for part in (*found, cells[found])), strict=True)
        )
        return hashlib.sha256(text.encode()).hexdigest()


def _distinct(models: Iterable[str]) -> tuple[str, ...]:
    names = tuple(models)
    if len(set(names)) != len(names):
        raise ValueError("every model may be named once only")
    return names
