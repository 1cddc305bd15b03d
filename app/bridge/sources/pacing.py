"""When the next photo is due: every so many seconds, or at once where somebody asks."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Pace:
    """Belongs to one event loop, whose clock it goes by."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self._asked = asyncio.Event()
        self._due: float | None = None

    def ask(self) -> None:
        """The next photo is due now."""
        self._asked.set()

    async def due(self) -> None:
        """Wait until it is. The first is due at once; one that took too long delays none after
        it, and none is made up for."""
        now = asyncio.get_running_loop().time()
        if self._due is not None and now < self._due:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self._due - now)
        self._asked.clear()
        now = asyncio.get_running_loop().time()
        due = now if self._due is None else self._due
        # Asked for before its time, or late: the beat starts anew from here.
        beat = due if due <= now < due + self.every_s else now
        self._due = beat + self.every_s
