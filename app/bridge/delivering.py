"""One task for each target: tells it the oldest event of the outbox, again until it has it.

    waiting for an event ──► deliver ──► delivered, or refused and dropped ──► the next
                                ▲   └──► failed: 5 s, 15 s, 45 s … 24 h (or Retry-After) ──┐
                                └──────────────────────────────────────────────────────────┘

Pauses lie in the outbox: a restart neither shortens nor forgets them. A target that does not answer
at all is tried every few seconds, so that it gets what waits as soon as it is back.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog

from ..core.crew import beside
from ..records import outbox
from ..records.errors import RecordsError
from ..records.opening import Records
from ..records.outbox import Delivery
from ..records.verdicts import now
from .sinks.sink import Gone, Refused, Retry, Sink

log = structlog.get_logger()
T = TypeVar("T")

_FIRST_S, _FACTOR, _LONGEST_S = 5.0, 3.0, 24 * 3600.0
_UNREACHED_S = 10.0
# A target that says "at once", again and again, gets no busy loop.
_LEAST_S = 1.0
# An event that another process has put is found at the latest after so long.
_LOOK_EVERY_S = 30.0
_DATABASE_PAUSE_S = 2.0


def pause_s(previous_s: float, retry: Retry, chance: Callable[[], float] = random.random) -> float:
    """How long to wait after a failure, with jitter.

    Args:
        previous_s: the pause before the attempt that failed; 0: it was the first.
        chance: a number from 0 to 1.
    """
    if retry.after_s is not None:
        return min(max(_LEAST_S, retry.after_s * (1 + chance() / 10)), _LONGEST_S)
    if not retry.reached:
        return _UNREACHED_S * (0.5 + chance() / 2)
    return min(max(_FIRST_S, previous_s * _FACTOR * (0.8 + chance() / 5)), _LONGEST_S)


@dataclass
class DeliveringState:
    """What the task does, for metrics. trouble: why the last attempt failed; None: it did not."""

    trouble: str | None = None
    disabled: str | None = None


class Delivering:
    """Brings a target its events. `run` it as a task; `wake` it when some were put."""

    def __init__(
        self, records: Records, target: str, sink: Sink, *, address: str = "",
        clock: Callable[[], datetime] = now, pause: Callable[[float, Retry], float] = pause_s,
    ) -> None:  # fmt: skip
        """Do nothing yet.

        Args:
            address: where the target is, by its settings: one that was disabled is enabled again
                by another. clock: this moment in UTC. pause: as `pause_s`.
        """
        self._records, self._target, self._sink = records, target, sink
        self._address, self._clock, self._pause = address, clock, pause
        self._awake = asyncio.Event()
        self.state = DeliveringState()

    def wake(self) -> None:
        """Look for an event now; on the loop's thread."""
        self._awake.set()

    async def run(self) -> None:
        """Deliver until cancelled, or until the target wants no more."""
        self.state.disabled = await self._asked(
            partial(outbox.why_disabled, self._records, self._target, self._address)
        )
        if self.state.disabled is not None:
            log.warning("a target is disabled: it gets nothing until its address is changed",
                        target=self._target, reason=self.state.disabled)  # fmt: skip
            return
        await self._sink.open()
        try:
            while self.state.disabled is None:
                await self._step()
        finally:
            await self._sink.close()

    async def _step(self) -> None:
        self._awake.clear()
        found = await self._asked(partial(outbox.oldest, self._records, self._target))
        wait = _LOOK_EVERY_S if found is None else min(found.wait_s(self._clock()), _LOOK_EVERY_S)
        if found is not None and wait <= 0:
            await self._deliver(found)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._awake.wait(), wait)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            await self._sink.deliver(delivery.event, delivery.event.overlay)
        except Retry as exc:
            await self._failed(delivery, exc)
        except Refused as exc:
            self._tell("an event is refused by its target, and dropped", delivery, str(exc))
            await self._asked(
                partial(outbox.dropped, self._records, delivery, str(exc), self._clock())
            )
        except Gone as exc:
            self._tell("a target wants no more events", delivery, str(exc))
            await self._asked(
                partial(outbox.disable, self._records, self._target, self._address, str(exc),
                        self._clock())
            )  # fmt: skip
            self.state.disabled = str(exc)
        except Exception as exc:  # a fault of ours must not end the task
            log.exception("an event could not be delivered", target=self._target)
            await self._failed(delivery, Retry(f"a fault of the program: {type(exc).__name__}"))
        else:
            if self.state.trouble is not None:
                log.info("a target takes events again", target=self._target)
            self.state.trouble = None
            await self._asked(partial(outbox.delivered, self._records, delivery, self._clock()))

    async def _failed(self, delivery: Delivery, exc: Retry) -> None:
        reason, at = str(exc), self._clock()
        if self.state.trouble != reason:
            self._tell("a target does not take an event now", delivery, reason)
        self.state.trouble = reason
        retry_at = at + timedelta(seconds=self._pause(delivery.pause_s, exc))
        await self._asked(partial(outbox.failed, self._records, delivery, retry_at, reason, at))

    def _tell(self, what: str, delivery: Delivery, reason: str) -> None:
        log.warning(what, target=self._target, reason=reason, kind=delivery.event.kind,
                    camera=delivery.event.camera, id=str(delivery.event.id))  # fmt: skip

    async def _asked(self, work: Callable[[], T]) -> T:
        """Have the database do it, however long that takes: what is done must not be done twice."""
        told = False
        while True:
            try:
                return await beside(work, "outbox")
            except RecordsError as exc:
                if not told:
                    log.error("the outbox cannot be used now", target=self._target, error=str(exc))
                told = True
            await asyncio.sleep(_DATABASE_PAUSE_S)
