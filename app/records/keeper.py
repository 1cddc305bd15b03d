"""Keeper: the records of a serving process: opened beside it, tried again, closed with it."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar, get_args

import structlog

from ..core.crew import NEVER, Crew, joined
from .errors import RecordsError, RecordsOff, RecordsUnavailable
from .keeping import PhotoPolicy
from .losses import Reason, RecorderState
from .opening import Records, open_records
from .retention import Limits
from .thumbnails import thumbnail
from .upkeep import RecordsUpkeep
from .verdicts import Draft
from .writing import Recorder

log = structlog.get_logger()
T = TypeVar("T")

TRY_AGAIN_S = 30.0
_SHOWN_EVERY_S = 1.0
# Thumbnails of photos that nobody need look at: enough to see what a camera shows, and a few
# hundredths of a core.
_REST_PER_S = 2.0
# What is done with records, and on how many threads: who writes waits for other writers, and who
# asks for much takes long; neither keeps the others from reading.
Kind = Literal["read", "write", "long"]
_THREADS: dict[Kind, int] = {"read": 4, "write": 1, "long": 1}
_NOT_OPEN = "not_open"
# All for which something may be lost.
REASONS: tuple[str, ...] = (*get_args(Reason), _NOT_OPEN)
_TROUBLE = "verdicts or photos cannot be written now; the service's log says why"


@dataclass(frozen=True)
class Plan:
    """What is kept where, and for how long; `url` and `folder` as `open_records` takes them."""

    folder: Path
    url: str | None = None
    policy: PhotoPolicy = field(default_factory=PhotoPolicy)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class KeeperState:
    """Whether records are kept.

    Attributes:
        status: on; off, by the settings; unavailable: they cannot be opened, or not written.
        reason: why they are not kept, for whoever asks: no path.
        recorder: what was written and lost.
    """

    status: Literal["on", "off", "unavailable"]
    reason: str | None = None
    recorder: RecorderState = field(default_factory=RecorderState)


@dataclass(frozen=True)
class _Open:
    records: Records
    recorder: Recorder
    upkeep: RecordsUpkeep


class Keeper:
    """Opens the records on a thread of its own, again and again where they cannot be, and has them
    written and read. Nothing of it keeps the service from answering photos.

    Attributes:
        on_written: called when verdicts are stored, on the thread that writes: none may wait.
    """

    def __init__(
        self,
        plan: Plan | None,
        on_state: Callable[[KeeperState], object] = lambda _: None,
        *,
        try_again_s: float = TRY_AGAIN_S,
    ) -> None:
        """Start opening them.

        Args:
            plan: None: no records are kept.
            on_state: told the state about each second, on any thread.
            try_again_s: how often they are tried again.
        """
        self._plan, self._on_state, self._try_again_s = plan, on_state, try_again_s
        self._opened: _Open | None = None
        self._fault: RecordsUnavailable = RecordsOff(
            "no records are kept here (GOODSGUARD_RECORDS=off)"
        )
        self._lost = 0
        self.on_written: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self._tried, self.ends = threading.Event(), threading.Event()
        self._crews = {kind: Crew(size, f"records-{kind}") for kind, size in _THREADS.items()}
        self._thread = threading.Thread(target=self._work, name="records-open", daemon=True)
        if plan is not None:
            self._fault = RecordsUnavailable("the records are being opened")
            self._thread.start()

    def opening(self, timeout_s: float) -> None:
        """Wait until they were tried for the first time."""
        if self._plan is not None:
            self._tried.wait(timeout_s)

    @property
    def state(self) -> KeeperState:
        """Whether they are kept, and what was written."""
        if self._plan is None:
            return KeeperState("off", self._fault.public)
        opened, lost = self._opened, {_NOT_OPEN: self._lost} if self._lost else {}
        if opened is None:
            return KeeperState("unavailable", self._fault.public, RecorderState(lost=lost))
        found = opened.recorder.state
        found = replace(found, lost={**found.lost, **lost})
        if found.trouble is None:
            return KeeperState("on", None, found)
        return KeeperState("unavailable", _TROUBLE, found)

    def show(self) -> None:
        """Tell the state now."""
        with self._lock:
            self._on_state(self.state)

    def put(self, draft: Draft) -> bool:
        """Have a verdict written soon; whether it was taken. Waits for nothing."""
        opened = self._opened
        if opened is not None:
            return opened.recorder.put(draft)
        if self._plan is not None:
            with self._lock:
                self._lost += 1
        return False

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is written that was put; whether it is."""
        opened = self._opened
        return opened is None or opened.recorder.flush(timeout_s)

    async def ask(self, work: Callable[[Records], T], kind: Kind = "read") -> T:
        """Do something with the records, beside the event loop.

        Args:
            kind: whose turn it waits for.

        Raises:
            RecordsUnavailable: there are none, or they cannot be used; the log says why.
            What the work raises.
        """
        if (opened := self._opened) is None:
            raise type(self._fault)(*self._fault.args)  # one that is raised twice grows
        here = partial(contextvars.copy_context().run, _told, work, opened.records)
        try:
            done = self._crews[kind].submit(here)
        except RuntimeError as exc:
            raise RecordsOff("the service is stopping") from exc
        return await asyncio.wrap_future(done)

    def close(self, until: float = NEVER) -> list[str]:
        """Write what waits until then (of `time.monotonic()`), and take nothing any more.

        Returns:
            the names of the threads that are still at work.
        """
        self.ends.set()
        crews = list(self._crews.values())
        for crew in crews:
            crew.stop()
        with self._lock:
            opened = self._opened
        left = []
        if opened is not None:
            if not opened.recorder.close(_until(until)):
                left.append("recorder")
            if not opened.upkeep.close(_until(until)):
                left.append("records-upkeep")
        left += [name for crew in crews for name in crew.close(until)]
        if self._plan is not None:
            left += joined([self._thread], until)
        if opened is not None and not left:
            opened.records.close()
        return left

    def _work(self) -> None:
        """Until the end: open them, and tell the state."""
        assert self._plan is not None
        try_at = time.monotonic()
        while not self.ends.is_set():
            if self._opened is not None and self._opened.records.is_gone():
                self._lose(self._opened)
                try_at = time.monotonic()
            if self._opened is None and time.monotonic() >= try_at:
                self._open(self._plan)
                try_at = time.monotonic() + self._try_again_s
                self._tried.set()
            try:
                self.show()
            except Exception:
                log.exception("the records' state cannot be shown")
            self.ends.wait(min(_SHOWN_EVERY_S, self._try_again_s))

    def _open(self, plan: Plan) -> None:
        try:
            records = open_records(plan.folder, plan.url)
        except RecordsUnavailable as exc:
            self._failed(exc)
        except Exception as exc:  # whatever it is, photos are answered
            log.exception("the records cannot be opened")
            self._failed(RecordsUnavailable(repr(exc)))
        else:
            self._begin(plan, records)

    def _lose(self, opened: _Open) -> None:
        """The database's file is another one than was opened: what is written goes nowhere."""
        with self._lock:
            self._opened = None
            self._fault = RecordsUnavailable("the records' database was taken away while in use")
        log.error(
            "the file of the records' database was taken away or replaced while in use: verdicts of"
            " the last second may be lost; it is opened anew, or a new one is made",
            where=opened.records.where,
        )
        waiting = opened.recorder.state.waiting
        opened.recorder.close(0)
        opened.upkeep.close(0)
        with self._lock:
            self._lost += waiting
        opened.records.close()

    def _failed(self, fault: RecordsUnavailable) -> None:
        if str(fault) != str(self._fault):  # once each, not at every try
            log.error("verdicts are not recorded", reason=str(fault))
        self._fault = fault

    def _begin(self, plan: Plan, records: Records) -> None:
        draw = None if plan.policy.keep == "none" else thumbnail
        with self._lock:
            if self.ends.is_set():
                records.close()
                return
            self._opened = _Open(
                records,
                Recorder(
                    records,
                    plan.policy,
                    draw=draw,
                    rest_per_s=_REST_PER_S,
                    on_written=self._written,
                ),
                RecordsUpkeep(records, plan.limits),
            )
        log.info("verdicts are recorded", where=records.where, photos=plan.policy.keep)

    def _written(self) -> None:
        for tell in tuple(self.on_written):
            tell()


def _told(work: Callable[[Records], T], records: Records) -> T:
    """Do the work; what keeps the records from being used goes to the log."""
    try:
        return work(records)
    except RecordsUnavailable as exc:
        log.error("the records cannot be used", reason=str(exc))
        raise
    except RecordsError as exc:
        if exc.public != str(exc):
            log.warning("the records do not take this", reason=str(exc))
        raise
    except OSError as exc:
        log.error("a file of the records cannot be used", reason=str(exc))
        raise RecordsUnavailable(f"a file of the records cannot be used: {exc}") from exc


def _until(until: float) -> float:
    return threading.TIMEOUT_MAX / 2 if until == NEVER else max(0.0, until - time.monotonic())
