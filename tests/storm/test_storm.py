"""A short storm on every commit; `make storm` rages longer, on both databases, and judges the seconds too."""

from __future__ import annotations

import random

import pytest

from tests.storm.__main__ import MOST_WASTED, held, storm
from tests.storm.faults import A_MINUTE, plan

SECONDS = 20.0


def test_a_storm_of_any_length_has_every_kind_of_fault():
    assert set(plan(1, random.Random(1))) == set(A_MINUTE)
    assert len(plan(60, random.Random(1))) == sum(A_MINUTE.values())


def test_what_a_storm_broke_is_named():
    outcome = {"lost": 1, "double": 2, "wasted": 0.3, "seconds_after_last_fault": None}
    assert [text.split()[0] for text in held(outcome)] == ["lost", "double", "30.0%", "all"]


@pytest.mark.workers
@pytest.mark.slow
def test_a_storm_of_faults_loses_nothing_and_doubles_nothing():
    outcome = storm("sqlite", SECONDS)
    assert (outcome["lost"], outcome["double"], outcome["not_finished"]) == (0, 0, {})
    assert outcome["wasted"] <= MOST_WASTED
    # A busy machine may take longer than make storm allows, but everything ends by itself.
    assert outcome["seconds_after_last_fault"] is not None
    assert outcome["faults"]["worker SIGKILL"] >= 1 and outcome["faults"]["FLUSHALL"] >= 1


@pytest.mark.workers
@pytest.mark.slow
def test_plain_rq_with_retries_does_not_survive_the_same_storm():
    outcome = storm("control", SECONDS)
    assert outcome["lost"] + outcome["double"] > 0
