"""Many workers and one purse: whatever happens at once, a cap is never passed and a reservation never lost."""

from __future__ import annotations

import random
import threading
from decimal import Decimal

import pytest
from django.db import connections

from judging import budgets
from judging.models import Budget

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
THREADS, CALLS = 12, 25
EACH = Decimal("0.01")


def spend(names: list[str], seed: int, made: list[int], most: list[Decimal]) -> None:
    """One worker: reserves, looks, settles for a part of what it reserved, until the money is gone."""
    chance = random.Random(seed)
    try:
        for _ in range(CALLS):
            try:
                budgets.reserve(names, EACH)
            except budgets.NoMoney:
                return
            row = Budget.objects.get(name=names[0])
            most.append(row.spent_usd + row.reserved_usd - row.cap_usd)
            budgets.settle(names, EACH, EACH * chance.choice([0, 1, 1]))
            made.append(1)
    finally:
        connections.close_all()


def test_a_cap_holds_against_many_workers_at_once() -> None:
    cap = Decimal("1.00")
    for name in ("global", "run:1:judge"):
        Budget.objects.create(name=name, cap_usd=cap)
    made: list[int] = []
    most: list[Decimal] = []
    names = ["run:1:judge", "global"]
    threads = [threading.Thread(target=spend, args=(names, seed, made, most)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) <= 0
    for budget in Budget.objects.all():
        assert budget.reserved_usd == 0
        assert cap - EACH <= budget.spent_usd <= cap
    assert len(made) >= int(cap / EACH)


def test_a_reservation_in_two_purses_is_in_both_or_in_none() -> None:
    Budget.objects.create(name="global", cap_usd=10)
    Budget.objects.create(name="run:1:judge", cap_usd=Decimal("0.005"))
    with pytest.raises(budgets.NoMoney, match="run:1:judge"):
        budgets.reserve(["global", "run:1:judge"], EACH)
    assert set(Budget.objects.values_list("reserved_usd", flat=True)) == {Decimal(0)}
