"""Wishes to the database that arrive together are met together, and nobody fails by another's fault."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from arena.gathering import MOST, Gathering


def test_what_waits_while_one_is_under_way_goes_into_the_next() -> None:
    batches: list[int] = []
    first = threading.Event()

    def work(wishes: Sequence[int]) -> list[int]:
        first.wait(5)
        batches.append(len(wishes))
        return [2 * wish for wish in wishes]

    async def go() -> list[int]:
        gathering = Gathering(work, ThreadPoolExecutor(1))
        asked = [asyncio.create_task(gathering(0))]
        await asyncio.sleep(0.01)
        asked += [asyncio.create_task(gathering(number)) for number in range(1, 3 * MOST)]
        await asyncio.sleep(0.01)
        first.set()
        return list(await asyncio.gather(*asked))

    assert asyncio.run(go()) == [2 * number for number in range(3 * MOST)]
    assert batches == [1, MOST, MOST, MOST - 1]


def test_a_wish_that_cannot_be_met_fails_alone() -> None:
    def work(wishes: Sequence[int]) -> list[float]:
        return [1 / wish for wish in wishes]

    async def go() -> list[float | BaseException]:
        gathering = Gathering(work, ThreadPoolExecutor(1))
        return await asyncio.gather(*(gathering(wish) for wish in (1, 2, 0, 4)), return_exceptions=True)

    one, half, fault, quarter = asyncio.run(go())
    assert (one, half, quarter) == (1, 0.5, 0.25)
    assert isinstance(fault, ZeroDivisionError)


def test_who_gave_up_is_left_out() -> None:
    asked: list[int] = []

    def work(wishes: Sequence[int]) -> Sequence[int]:
        asked.extend(wishes)
        return wishes

    async def go() -> int:
        gathering = Gathering(work, ThreadPoolExecutor(1))
        gone, stays = asyncio.create_task(gathering(1)), asyncio.create_task(gathering(2))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert asyncio.run(go()) == 2
    assert asked == [2]


def test_a_failed_transaction_of_many_is_no_ones_loss() -> None:
    async def go() -> None:
        gathering = Gathering(lambda wishes: [][0], ThreadPoolExecutor(1))
        await gathering(1)

    with pytest.raises(IndexError):
        asyncio.run(go())
