"""SIGHUP: keys, cameras and banks are taken up anew, as servers do at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from ..core.crew import beside
from .drain import Drain
from .reloads import Reloads
from .signals import on_loop
from .upkeep import Upkeep

log = structlog.get_logger()


class Hangup:
    """Takes up what has changed; the default of the signal would end the process at once.

    Signals that come while one is being obeyed are obeyed together, once more.
    """

    def __init__(self, drain: Drain) -> None:
        self._drain = drain
        self._obey: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on the signal ends nothing any more."""
        on_loop(loop, "SIGHUP", self._told)

    def serve(self, reloads: Reloads, upkeep: Upkeep, *read: Callable[[], Awaitable[None]]) -> None:
        """What is to be taken up: the banks, and before them what `read` reads."""

        async def obey() -> None:
            log.info("SIGHUP: API keys, cameras and banks are taken up")
            for one in read:
                await one()
            results = await beside(reloads.refresh, "hangup")
            upkeep.count(results)
            by_outcome: dict[str, list[str]] = {}
            for result in results:
                by_outcome.setdefault(result.outcome, []).append(result.category)
            log.info("SIGHUP: done", **by_outcome)

        async def until_all_are_obeyed() -> None:
            while self._again:
                self._again = False
                try:
                    await obey()
                except Exception:  # the next one may find the disk again
                    log.exception("SIGHUP: not done")

        def start() -> None:
            self._again = True
            if self._task is None or self._task.done():
                self._task = asyncio.ensure_future(until_all_are_obeyed())

        self._obey = start

    def _told(self) -> None:
        if self._drain.active or self._obey is None:
            why = "the service stops" if self._drain.active else "it is being started"
            log.info("SIGHUP: nothing is taken up", reason=why)
        else:
            self._obey()
