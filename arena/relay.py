"""Two answers side by side in equal steps: every tenth of a second one frame with what both have said since.

Nothing is given out until both have begun, so that who starts first betrays nobody, and every frame carries both sides.
Answers gather by themselves and are looked at once per frame: nothing is done per token.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from typing import Any, Final, Protocol

TICK: Final = 0.1


class Source(Protocol):
    """An answer that grows elsewhere. `look` gives its news and raises what went wrong; `close` may always come."""

    first_seconds: float | None
    seconds: float | None
    ending: Any

    def look(self) -> str: ...

    def close(self) -> None: ...


class Side:
    """One answer as it grows. Seconds are counted from its request."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.parts: list[str] = []
        self._new: list[str] = []

    @property
    def has_begun(self) -> bool:
        return bool(self.parts) or self.is_over

    @property
    def is_over(self) -> bool:
        return self.source.ending is not None

    @property
    def ending(self) -> Any:
        return self.source.ending

    @property
    def first_seconds(self) -> float | None:
        return self.source.first_seconds

    @property
    def seconds(self) -> float | None:
        return self.source.seconds

    @property
    def text(self) -> str:
        return "".join(self.parts)

    def look(self) -> None:
        if text := self.source.look():
            self.parts.append(text)
            self._new.append(text)

    def news(self) -> str:
        """What has come since the last frame."""
        new, self._new = "".join(self._new), []
        return new


class Broken(Exception):
    """A side failed: which, and the error it failed with. What the other one said is not to be used."""

    def __init__(self, side: int, error: Exception) -> None:
        super().__init__(f"side {side}: {error}")
        self.side, self.error = side, error


class Relay:
    """Looks at every source until all have ended.

    Iterate `frames()`; afterwards `sides` hold the answers. Leaving the iteration early closes every source.
    """

    def __init__(self, sources: Sequence[Source], tick: float = TICK) -> None:
        self.tick = tick
        self.sides = [Side(source) for source in sources]

    async def frames(self) -> AsyncGenerator[list[str], None]:
        """A list of new text per side every tick once all have begun; an empty list before. Raises Broken."""
        try:
            due = time.monotonic()
            while True:
                due = max(due + self.tick, time.monotonic())
                # Always the whole step: who ends or fails early must not be seen by a shorter one.
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                self._look()
                over = all(side.is_over for side in self.sides)
                yield [side.news() for side in self.sides] if all(side.has_begun for side in self.sides) else []
                if over:
                    return
        finally:
            for side in self.sides:
                side.source.close()

    def _look(self) -> None:
        for number, side in enumerate(self.sides):
            try:
                side.look()
            except Exception as error:
                raise Broken(number, error) from error


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
