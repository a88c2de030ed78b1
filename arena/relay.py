"""Two answers side by side in equal steps: every tenth of a second one frame with what both have said since.

Nothing is given out until both have begun, so that who starts first betrays nobody, and every frame carries both sides.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

TICK: Final = 0.1


@dataclass
class Side:
    """One answer as it grows. Seconds are counted from the start of the relay."""

    parts: list[str] = field(default_factory=list)
    shown: int = 0
    ending: Any = None
    error: BaseException | None = None
    first_seconds: float | None = None
    seconds: float | None = None

    @property
    def has_begun(self) -> bool:
        return bool(self.parts) or self.is_over

    @property
    def is_over(self) -> bool:
        return self.seconds is not None

    @property
    def text(self) -> str:
        return "".join(self.parts)

    def news(self) -> str:
        """What has come since the last frame."""
        new, self.shown = "".join(self.parts[self.shown :]), len(self.parts)
        return new


class Broken(Exception):
    """A side failed: which, and the error it failed with. What the other one said is not to be used."""

    def __init__(self, side: int, error: BaseException) -> None:
        super().__init__(f"side {side}: {error}")
        self.side, self.error = side, error


class Relay:
    """Reads every source (pieces of text, last an object that is no text) until all have ended.

    Iterate `frames()`; afterwards `sides` hold the answers. Leaving the iteration early closes every source.
    """

    def __init__(self, sources: Sequence[AsyncGenerator[Any, None]], tick: float = TICK) -> None:
        self.sources, self.tick = sources, tick
        self.sides = [Side() for _ in sources]
        self._started = time.monotonic()

    async def frames(self) -> AsyncGenerator[list[str], None]:
        """A list of new text per side every tick once all have begun; an empty list before. Raises Broken."""
        self._started = time.monotonic()
        tasks = [asyncio.create_task(self._read(*pair)) for pair in zip(self.sources, self.sides, strict=True)]
        try:
            due = time.monotonic()
            while True:
                due = max(due + self.tick, time.monotonic())
                # Always the whole step: who ends or fails early must not be seen by a shorter one.
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                for number, side in enumerate(self.sides):
                    if side.error is not None:
                        raise Broken(number, side.error)
                over = all(side.is_over for side in self.sides)
                yield [side.news() for side in self.sides] if all(side.has_begun for side in self.sides) else []
                if over:
                    return
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, source: AsyncGenerator[Any, None], side: Side) -> None:
        try:
            async with aclosing(source) as pieces:
                async for piece in pieces:
                    if not isinstance(piece, str):
                        side.ending = piece
                        continue
                    if side.first_seconds is None:
                        side.first_seconds = time.monotonic() - self._started
                    side.parts.append(piece)
        except Exception as error:  # noqa: BLE001 - told by frames()
            side.error = error
        finally:
            side.seconds = time.monotonic() - self._started


async def until(leaves: Awaitable[Any], work: Awaitable[Any]) -> bool:
    """Does `work` until it is done or the reader leaves; whether it was done. What is left is cancelled."""
    doing, watching = asyncio.ensure_future(work), asyncio.ensure_future(leaves)
    try:
        await asyncio.wait({doing, watching}, return_when=asyncio.FIRST_COMPLETED)
        done = doing.done()
        if done:
            doing.result()
        return done
    finally:
        for one in (doing, watching):
            one.cancel()
        await asyncio.gather(doing, watching, return_exceptions=True)
