"""Many small wishes to the database become few transactions: whatever waits while one is under way goes into the next.

A transaction of a hundred battles costs little more than that of one; nobody waits for a timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final, Generic, TypeVar

from django.db import connection

MOST: Final = 100
Wish = TypeVar("Wish")
Answer = TypeVar("Answer")


class Gathering(Generic[Wish, Answer]):
    """`await gathering(wish)` answers with what `work` gives for it; `work` takes many, in order, in a thread.

    Where it raises, every wish is tried alone, so that nobody fails by another's fault.
    """

    def __init__(self, work: Callable[[Sequence[Wish]], Sequence[Answer]], threads: Executor) -> None:
        self._work, self._threads = work, threads
        self._waiting: list[tuple[Wish, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, wish: Wish) -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((wish, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            batch = [(wish, future) for wish, future in batch if not future.done()]
            answers = await loop.run_in_executor(self._threads, self._answers, [wish for wish, _ in batch])
            for (_, future), answer in zip(batch, answers, strict=True):
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

    def _answers(self, wishes: list[Wish]) -> list[Answer | Exception]:
        try:
            return list(self._work(wishes))
        except Exception as error:  # noqa: BLE001 - told to who waits
            return [error] if len(wishes) == 1 else [self._answers([wish])[0] for wish in wishes]
        finally:
            let_go()


def let_go() -> None:
    """Ends a thread's use of the database: SQLite's connection stays with its thread, a pool wants its own back."""
    if connection.vendor != "sqlite":
        connection.close()
