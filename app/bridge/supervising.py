"""A source is run, watched, and started again when it fails, hangs or ends; others never notice.

waiting ─► running ─► failed (with its reason) ─┐
   ▲          └─────► stalled ──────────────────┤ back-off: twice as long each time, with jitter
   └────────────────────────────────────────────┘
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

import structlog

from .frames import Frame
from .sources.source import Source, SourceError

log = structlog.get_logger()

# A camera that comes back is seen within the longest wait, and asked no more often than that.
FIRST_S = 1.0
LONGEST_S = 8.0
# So long a source may take to let go of what it holds.
_CLOSE_S = 5.0


class Backoff:
    """How long to wait before the next try: doubled each time, up to a bound, and each wait some
    part of itself shorter, so that cameras that fell together do not all come back at once."""

    def __init__(
        self,
        first_s: float = FIRST_S,
        longest_s: float = LONGEST_S,
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`draw` gives numbers from 0 up to 1."""
        self._first_s, self._longest_s, self._draw = first_s, longest_s, draw
        self._tries = 0

    def next(self) -> float:
        """Seconds: from half of the whole wait to all of it."""
        # A bound before the power, which would overflow after a month.
        whole = min(self._longest_s, self._first_s * 2.0 ** min(self._tries, 32))
        self._tries += 1
        return whole * (0.5 + 0.5 * self._draw())

    def reset(self) -> None:
        """It works: the next wait is the first again."""
        self._tries = 0


class State(StrEnum):
    """What a source is doing."""

    WAITING = "waiting"  # for its first photo
    RUNNING = "running"
    STALLED = "stalled"  # no photo came in time
    FAILED = "failed"


@dataclass(frozen=True)
class Standing:
    """How a source stands.

    Attributes:
        reason: why it has failed or stalled, in a sentence; "" where it has not.
        since: when it came into this state, UTC. last_frame_at: when its last photo was taken.
        frames: photos so far. restarts: how often it was started again.
    """

    state: State = State.WAITING
    reason: str = ""
    since: datetime | None = None
    last_frame_at: datetime | None = None
    frames: int = 0
    restarts: int = 0


class Supervisor:
    """Runs one camera's source for as long as the camera is in the file."""

    def __init__(
        self,
        name: str,
        make: Callable[[], Source],
        take: Callable[[Frame], Awaitable[None]],
        *,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Takes the camera's name, what makes its source, and what is given each frame: the next
        one is asked for when it is done with it, so that no frame waits behind another."""
        self.name = name
        self.standing = Standing()
        self._make, self._take, self._sleep = make, take, sleep
        self._backoff = backoff or Backoff()
        self._source: Source | None = None

    def ask(self) -> None:
        """A photo is wanted now."""
        if self._source is not None:
            self._source.ask()

    async def run(self) -> None:
        """Until it is cancelled; nothing that a source does ends it."""
        while True:
            again_s = await self._once()
            await self._sleep(max(again_s, self._backoff.next()))
            self.standing = replace(self.standing, restarts=self.standing.restarts + 1)

    async def _once(self) -> float:
        """Run it until it fails; not again before so many seconds."""
        try:
            self._source = self._make()
            await self._follow(self._source)
            self._stands(State.FAILED, "it has ended")
        except _Stalled as exc:
            self._stands(State.STALLED, str(exc))
        except SourceError as exc:
            self._stands(State.FAILED, str(exc))
            return exc.again_s
        except Exception as exc:
            log.error("a source has failed in a way that nobody foresaw",
                      camera=self.name, exc_info=exc)  # fmt: skip
            self._stands(State.FAILED, f"unforeseen fault ({type(exc).__name__}), see the log")
        finally:
            self._source = None
        return 0.0

    async def _follow(self, source: Source) -> None:
        frames = source.frames()
        try:
            while (frame := await _next(frames, source.stall_s)) is not None:
                self._backoff.reset()
                self.standing = replace(
                    self.standing,
                    last_frame_at=frame.taken_at,
                    frames=self.standing.frames + 1,
                )
                self._stands(State.RUNNING)
                await self._take(frame)
        finally:
            await _close(frames)

    def _stands(self, state: State, reason: str = "") -> None:
        if (state, reason) == (self.standing.state, self.standing.reason):
            return
        self.standing = replace(self.standing, state=state, reason=reason, since=datetime.now(UTC))
        if state is State.RUNNING:
            log.info("a camera gives photos", camera=self.name)
        else:
            log.warning("a camera gives no photos", camera=self.name, state=state, reason=reason)


class _Stalled(Exception):
    """No frame came in time."""


async def _next(frames: AsyncGenerator[Frame, None], stall_s: float | None) -> Frame | None:
    coming: asyncio.Task[Frame | None] = asyncio.create_task(_of(frames))
    try:
        await asyncio.wait({coming}, timeout=stall_s)
        if coming.done():
            return coming.result()
        raise _Stalled(f"no photo came for {stall_s:g} s")
    finally:
        # A source that does not end when it is told to is left behind.
        if not coming.done():
            coming.cancel()
            await asyncio.wait({coming}, timeout=_CLOSE_S)


async def _of(frames: AsyncGenerator[Frame, None]) -> Frame | None:
    return await anext(frames, None)


async def _close(frames: AsyncGenerator[Frame, None]) -> None:
    # RuntimeError: it still runs, and was left behind.
    with suppress(TimeoutError, RuntimeError):
        await asyncio.wait_for(frames.aclose(), _CLOSE_S)
