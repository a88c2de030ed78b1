"""Money is reserved in the database before a call and settled after it; every step is one conditional UPDATE.

Whatever workers do at the same time, spent + reserved never passes a cap, and a set kill switch lets nothing begin.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from decimal import Decimal

from django.db import transaction
from django.db.models import F

from judging.models import Budget

GLOBAL = "global"
# Dollars for all judging of this site together, until staff sets another cap.
GLOBAL_CAP = Decimal(os.environ.get("GYEORU_JUDGING_CAP_USD", "100"))
ARENA = "arena"
# Dollars of it for battles that people voted on.
ARENA_CAP = Decimal(os.environ.get("GYEORU_ARENA_JUDGING_CAP_USD", "10"))


class NoMoney(Exception):
    """A budget does not allow this call: `stopped` by the kill switch, else its cap is reached."""

    def __init__(self, budget: Budget) -> None:
        self.name, self.stopped = budget.name, budget.is_stopped
        if budget.is_stopped:
            text = f"The kill switch of the budget “{budget.name}” is set. Release it and let the run be judged again."
        else:
            text = (
                f"The budget “{budget.name}” of ${budget.cap_usd:.2f} is reached (${budget.spent_usd:.4f} spent). "
                "Raise its cap and let the run be judged again; every judgment that was paid for is kept."
            )
        super().__init__(text)


def open_budgets(run_id: int, judge_slug: str, cap: Decimal | None) -> list[str]:
    """The budgets that a judge's calls for a run come from, made where they are missing: all, and this run's."""
    Budget.objects.get_or_create(name=GLOBAL, defaults={"cap_usd": GLOBAL_CAP})
    if cap is None:
        return [GLOBAL]
    name = f"run:{run_id}:{judge_slug}"[:100]
    Budget.objects.get_or_create(name=name, defaults={"cap_usd": cap})
    # A raised cap of the judge lets the run go on; a lowered one stops it.
    Budget.objects.filter(name=name).update(cap_usd=cap)
    return [GLOBAL, name]


def arena_budgets() -> list[str]:
    """The budgets that calls about battles come from, made where they are missing."""
    Budget.objects.get_or_create(name=ARENA, defaults={"cap_usd": ARENA_CAP})
    Budget.objects.get_or_create(name=GLOBAL, defaults={"cap_usd": GLOBAL_CAP})
    return [ARENA, GLOBAL]


def reserve(names: Sequence[str], amount: Decimal) -> None:
    """Sets `amount` dollars aside in every one of the budgets, or in none. Raises NoMoney."""
    with transaction.atomic():
        for name in sorted(names):
            taken = Budget.objects.filter(
                name=name, is_stopped=False, cap_usd__gte=F("spent_usd") + F("reserved_usd") + amount
            ).update(reserved_usd=F("reserved_usd") + amount)
            if not taken:
                raise NoMoney(Budget.objects.get(name=name))


def settle(names: Sequence[str], reserved: Decimal, spent: Decimal) -> None:
    """Gives a reservation back and books what the calls really cost."""
    if not reserved and not spent:
        return
    for name in sorted(names):
        Budget.objects.filter(name=name).update(
            reserved_usd=F("reserved_usd") - reserved, spent_usd=F("spent_usd") + spent
        )


def stop(name: str = GLOBAL, *, stopped: bool = True) -> None:
    """Sets or releases the kill switch of a budget; it works from the next call on."""
    Budget.objects.get_or_create(name=name, defaults={"cap_usd": GLOBAL_CAP})
    Budget.objects.filter(name=name).update(is_stopped=stopped)
