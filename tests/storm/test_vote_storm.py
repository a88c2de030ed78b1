"""A short storm of votes while web workers are killed; `python -m bench.vote_storm` rages longer and tells the time."""

from __future__ import annotations

import pytest

from bench.vote_storm import Outcome, storm
from tests.lanes import Missing


@pytest.mark.workers
@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_no_acknowledged_vote_is_lost_and_none_counts_twice(database: str) -> None:
    try:
        outcome = storm(database, seconds=10, rate=40, kills=3)
    except Missing as missing:
        pytest.skip(str(missing))
    assert isinstance(outcome, Outcome)
    assert (outcome.lost, outcome.double, outcome.unanswered, outcome.refused) == (0, 0, 0, {})
    assert (outcome.votes, outcome.acknowledged, outcome.kills) == (400, 400, 3)
