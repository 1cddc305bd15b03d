"""Live: what is new on the board, told to all who watch it.

Other processes write to the same database, so that it is looked at now and then, by one watcher
for all streams, and only while there are any. What this process writes wakes the watcher at once.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import structlog

from ..records import newest
from ..records.errors import RecordsUnavailable
from ..records.keeper import Keeper
from ..records.newest import Marks
from ..records.opening import Records
from ..service.cameras import Cameras
from .board import Pins, drawn, news, read_pins, read_tile
from .rendering import capitalized

log = structlog.get_logger()

# Screens beside tills, and some people; each is a connection that stays.
MAX_STREAMS = 64
# What a reader may be behind before it has to begin anew.
_MAX_WAITING = 64
_EVERY_S, _APART_S = 0.5, 0.2
# Pins also change with the day, and when verdicts are deleted.
_PINS_EVERY_S = 5.0

Event = tuple[str, Mapping[str, object], int | None]  # kind, data, id


class Stream:
    """One who watches.

    Attributes:
        number: of the newest verdict that they have been told of; None: they know of none, and
            have to load the board first.
    """

    def __init__(self, number: int | None) -> None:
        self.number = number
        self.pins: str | None = None
        self.fault: str | None = ""  # neither a fault nor none: the first state is told
        self._waiting: asyncio.Queue[Event | None] = asyncio.Queue()

    def tell(self, event: Event) -> None:
        """Queue an event; who does not read is cut off, and catches up when they come again."""
        if self._waiting.qsize() < _MAX_WAITING:
            self._waiting.put_nowait(event)
        else:
            self.end()

    def end(self) -> None:
        """Nothing follows."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    async def next(self) -> Event | None:
        """The next event, once there is one; None: the end."""
        return await self._waiting.get()


@dataclass(frozen=True)
class _Change:
    """What came after a number. `all`: whether it is all that came."""

    tiles: Sequence[tuple[str, str]] = ()
    news: Sequence[str] = ()
    all: bool = True


@dataclass(frozen=True)
class _Look:
    """One look at the database: what is new after each of some numbers."""

    marks: Marks
    pins: Pins | None
    changes: Mapping[int, _Change] = field(default_factory=dict)


class Live:
    """Has streams told what is new. The event loop alone asks it."""

    def __init__(self, keeper: Keeper, cameras: Cameras, stops: Callable[[], bool]) -> None:
        """Takes what says that the server is about to stop."""
        self.keeper = keeper
        self._cameras, self._stops = cameras, stops
        self._streams: set[Stream] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._marks, self._pins, self._pins_at = Marks(-1, -1), "", 0.0
        self._pinned = 0
        self.stopped = False

    def stop(self) -> None:
        """The service stops: all streams end now, and none begins any more."""
        self.stopped = True
        for stream in tuple(self._streams):
            stream.end()

    @property
    def is_full(self) -> bool:
        """Whether as many watch as may."""
        return len(self._streams) >= MAX_STREAMS

    @contextmanager
    def followed(self, number: int | None) -> Iterator[Stream]:
        """Someone watches, who has been told of all verdicts up to a number."""
        stream = Stream(number)
        self._streams.add(stream)
        if self.stopped:
            stream.end()
        elif self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        else:
            self._wake.set()
        try:
            yield stream
        finally:
            self._streams.discard(stream)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()

        def written() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._wake.set)

        self.keeper.on_written.append(written)
        try:
            while self._streams and not self.stopped:
                if self._stops():
                    self.stop()
                    break
                self._wake.clear()
                try:
                    await self._round()
                except Exception:  # the next round may find the database again
                    log.exception("the board cannot be followed")
                await asyncio.sleep(_APART_S)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_EVERY_S - _APART_S):
                        await self._wake.wait()
        finally:
            self.keeper.on_written.remove(written)

    async def _round(self) -> None:
        names = set(self._cameras.known)
        await self._cameras.refresh()
        streams = tuple(self._streams)  # who comes meanwhile is told in the next round
        if set(self._cameras.known) != names:
            for stream in streams:
                stream.number = None
        numbers = {s.number for s in streams if s.number is not None}
        try:
            look = await self.keeper.ask(lambda records: self._look(records, numbers))
        except RecordsUnavailable as exc:
            self._tell_fault(streams, exc.public)
            return
        if look.pins is not None:
            self._pins = drawn("now_pins.html", pins=look.pins)
            self._pinned, self._pins_at = look.pins.count.number, time.monotonic()
        self._marks = look.marks
        self._tell_fault(streams, self.keeper.state.reason)
        for stream in streams:
            self._tell(stream, look)

    def _look(self, records: Records, numbers: set[int]) -> _Look:
        """On a thread of the records."""
        marks = newest.marks(records)
        changes = {n: _change(records, n, marks.verdict) for n in numbers if n <= marks.verdict}
        is_due = time.monotonic() - self._pins_at >= _PINS_EVERY_S
        pins = read_pins(records) if marks != self._marks or is_due else None
        return _Look(marks, pins, changes)

    def _tell(self, stream: Stream, look: _Look) -> None:
        change = None if stream.number is None else look.changes.get(stream.number)
        if change is None or not change.all:
            # Too much, or numbers that are no more: it has to load the board.
            stream.tell(("reset", {}, None))
            stream.number, stream.pins = look.marks.verdict, self._pins
            return
        told: dict[str, object] = {}
        if change.tiles:
            told |= {"tiles": change.tiles, "news": change.news}
        if stream.pins != self._pins:
            told |= {"pins": self._pins, "pinned": self._pinned}
        stream.number, stream.pins = look.marks.verdict, self._pins
        if told:
            stream.tell(("board", told, look.marks.verdict))

    def _tell_fault(self, streams: Sequence[Stream], fault: str | None) -> None:
        text = sentence(fault)
        for stream in streams:
            if stream.fault != text:
                stream.fault = text
                stream.tell(("fault", {"text": text}, None))


def sentence(fault: str | None) -> str | None:
    """A fault as a page says it."""
    return f"{capitalized(fault)}." if fault else None


def _change(records: Records, after: int, until: int) -> _Change:
    if after == until:
        return _Change()
    came = newest.arrivals(records, after, until)
    if not came.all:
        return _Change(all=False)
    tiles = [
        (camera or "", drawn("now_tile.html", tile=read_tile(records, camera)))
        for camera in sorted(came.cameras, key=lambda name: name or "")
    ]
    return _Change(tiles, [news(verdict) for verdict in came.anomalous])


def as_text(event: Event) -> str:
    """An event as the stream has it (text/event-stream)."""
    kind, data, number = event
    identity = "" if number is None else f"id: {number}\n"
    return f"{identity}event: {kind}\ndata: {json.dumps(data)}\n\n"
