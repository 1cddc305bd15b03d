"""Lookout: a file, or several, looked at now and then while the event loop serves."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

import structlog

from .crew import beside

log = structlog.get_logger()

# How long a change may go unnoticed.
LOOK_EVERY_S = 1.0
# A disk that takes longer is not waited for: what was found before counts until it answers.
WAIT_S = 1.0


class Lookout:
    """Has something looked at on a thread, once at a time and no more than once a second.

    The event loop alone asks it.
    """

    def __init__(
        self, look: Callable[[], None], what: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Takes what looks, what it looks at (for the log), and a monotonic clock in seconds. What
        it is about has just been looked at."""
        self._look, self._what, self._clock = look, what, clock
        self._looked_at = clock()
        self._looking: asyncio.Future[None] | None = None
        self._hangs = False

    async def refresh(self, *, now: bool = False) -> None:
        """Look beside the loop, where that is due, and wait for it: what has changed counts a
        second later, however long nobody has asked.

        Args:
            now: however lately that was done.
        """
        if now:
            self._looked_at = -math.inf
        if self._looking is None:
            if not self._due():
                return
            self._looking = asyncio.ensure_future(beside(self.look, "look"))
            self._looking.add_done_callback(self._looked)
        if not self._hangs:
            done, _ = await asyncio.wait({self._looking}, timeout=WAIT_S)
            self._hangs = not done

    def look(self) -> None:
        """Look now, where that is due."""
        if self._due():
            self._looked_at = self._clock()
            self._look()

    def _due(self) -> bool:
        return self._clock() - self._looked_at >= LOOK_EVERY_S

    def _looked(self, look: asyncio.Future[None]) -> None:
        self._looking, self._hangs = None, False
        if not look.cancelled() and (exc := look.exception()) is not None:
            log.error(f"the {self._what} stay as they were", exc_info=exc)
