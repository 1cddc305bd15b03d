"""What the service does by itself while it runs, each kind of work on a clock of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import structlog

from ..core.crew import beside
from .inspector import Inspector
from .metrics import Metrics
from .reloads import Reloaded, Reloads

log = structlog.get_logger()

# How soon a network that works again is found out: no photo would show it, since who heeds /readyz
# sends none. A few golden photos take less time than that.
TRY_AGAIN_S = 5.0


class Upkeep:
    """Takes up banks, tries again what failed, and keeps the notes of what serves fresh.

    Not one round for both: banks may be looked for once an hour, or take minutes to load, and a
    network that works again must not stay out of service for that.
    """

    def __init__(
        self,
        reloads: Reloads,
        inspector: Inspector,
        metrics: Metrics,
        *,
        watch_s: float,
        try_again_s: float = TRY_AGAIN_S,
    ) -> None:
        """Takes how often to look for new banks (0: never), and to try failed networks again."""
        self._reloads, self._inspector, self._metrics = reloads, inspector, metrics
        self._watch_s, self._try_again_s = watch_s, try_again_s

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While this lasts."""
        rounds = (self.try_again, self.renew_notes)
        tasks = [asyncio.create_task(_every(self._try_again_s, work)) for work in rounds]
        if self._watch_s:
            tasks.append(asyncio.create_task(_every(self._watch_s, self.watch)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    async def try_again(self) -> None:
        """See whether a network that failed works again."""
        if self._inspector.scheduler.failures:
            detectors = self._reloads.registry.detectors.values()
            await beside(lambda: self._inspector.try_again(detectors), "try-again")

    async def renew_notes(self) -> None:
        """Now and then, note once more which versions serve."""
        if self._reloads.notes_are_due():
            await beside(self._reloads.renew_notes, "renew-notes")

    async def watch(self) -> None:
        """Take up new bank versions."""
        self.count(await beside(self._reloads.watch, "watch"))

    def count(self, results: Sequence[Reloaded]) -> None:
        """Into the metrics: what became of the banks."""
        for result in results:
            self._metrics.reloads.labels(result.outcome).inc()


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception:  # the next round may find the disk again
            log.exception("a round of upkeep failed", work=work.__name__)
