"""Synthetic votes and the shared vote files, for the tests of ratings."""

from __future__ import annotations

import csv
import gzip
import json
from typing import Any

import numpy as np
from hypothesis import strategies as st

from leaderboard.pair_counts import OUTCOMES, PairCounts
from tests.shared import shared_data

Row = tuple[str, str, str]


def synthetic(n: int, m: int, seed: int = 0, tie_share: float = 0.25) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left, right and outcome codes of n votes among m models with normal strengths and skewed exposure."""
    random = np.random.default_rng(seed)
    theta = random.normal(0, 0.6, m)
    exposure = random.pareto(1.5, m) + 0.1
    left = random.choice(m, n, p=exposure / exposure.sum())
    right = (left + 1 + random.integers(0, m - 1, n)) % m
    p = 1 / (1 + np.exp(theta[right] - theta[left]))
    outcome = np.where(random.random(n) < tie_share, 2, np.where(random.random(n) < p, 0, 1))
    return left, right, outcome


def counted(n: int, m: int, seed: int = 0, tie_share: float = 0.25) -> PairCounts:
    return PairCounts.from_votes(names(m), *synthetic(n, m, seed, tie_share))


def names(m: int) -> tuple[str, ...]:
    return tuple(f"model-{i:03d}" for i in range(m))


def votes_of(*rows: str) -> PairCounts:
    """Counts from lines such as "a>b 3" or "a=b" (tie) or "a x b" (both bad)."""
    groups = []
    for row in rows:
        sign, outcome = next((s, o) for s, o in ((">", "left"), ("=", "tie"), ("x", "both_bad")) if s in row)
        left, rest = row.split(sign)
        right, _, count = rest.strip().partition(" ")
        groups.append((left.strip(), right.strip(), outcome, float(count or 1)))
    return PairCounts.from_groups(groups)  # type: ignore[arg-type]


def connected_votes() -> st.SearchStrategy[list[tuple[int, int, int]]]:
    """Votes among four models that always have a finite rating: a ring of wins and whatever else."""
    vote = st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(0, len(OUTCOMES) - 1))
    shifted = vote.map(lambda v: (v[0], (v[0] + v[1]) % 4, v[2]))
    return st.lists(shifted, max_size=40).map(lambda more: [(0, 1, 0), (1, 2, 0), (2, 3, 0), (3, 0, 0), *more])


def read_rows(path: str, left: str = "left", right: str = "right") -> list[Row]:
    file = shared_data(path)
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
        return [(row[left], row[right], row["winner"]) for row in csv.DictReader(lines)]


def expected(name: str) -> dict[str, Any]:
    return json.loads(shared_data(f"expected/{name}.json").read_text())  # type: ignore[no-any-return]
