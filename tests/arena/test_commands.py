"""The rigging simulation as a command, and the ledger it fills."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from arena import demo, tallies
from arena.models import Exclusion, Vote, VoteSource

pytestmark = pytest.mark.django_db


def test_the_simulation_prints_its_table() -> None:
    out = StringIO()
    call_command("simulate_rigging", "--voters", "40", "--votes", "2000", stdout=out)
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert ["target-only", "5", "40", "40", "100.0%"] in lines
    assert not Vote.objects.exists()


def test_three_models_are_no_arena() -> None:
    with pytest.raises(CommandError, match="at least 4"):
        call_command("simulate_rigging", "--models", "3")


def test_the_demo_ledger_catches_the_attackers_and_spares_the_honest(client: Client) -> None:
    filled = demo.fill()
    assert (filled.pushed, filled.caught) == (48, 48)
    assert filled.false_alarms <= 0.01 * (filled.votes - filled.pushed)
    assert tallies.difference(VoteSource.objects.get(slug=demo.SOURCE)) == {}
    assert demo.fill() == filled, "filling it again makes the same demo"
    text = client.get("/en/arena/ledger/?source=rigging-demo").content.decode()
    assert text.count("a voter pushed one model") >= 48
    assert "They are simulated" in text
    assert "a voter pushed one model" not in client.get("/en/arena/ledger/").content.decode()


def test_screening_by_command_says_what_it_did() -> None:
    out = StringIO()
    call_command("screen_votes", stdout=out)
    assert "0 voters tested" in out.getvalue()
    assert not Exclusion.objects.exists()
