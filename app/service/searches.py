"""Threads that search a batch's features while the network's thread is at the next pass."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import structlog

from ..core.crew import NEVER, joined

log = structlog.get_logger()


class Searches:
    """Runs what it is handed on threads of its own, in order.

    Features of a batch of patches are megabytes each: whoever hands on more asks for room first.
    """

    def __init__(self, threads: int, room: int) -> None:
        """Takes the number of threads, and how much may be at work or waiting where more comes."""
        self.threads = threads
        self._room = room
        self._waiting: deque[Callable[[], None]] = deque()
        self._unfinished = 0
        self._closed = False
        self._changed = threading.Condition()
        self._workers = [
            threading.Thread(target=self._work, name=f"search-{n}", daemon=True)
            for n in range(threads)
        ]
        for worker in self._workers:
            worker.start()

    @property
    def at_once(self) -> int:
        """How many of its threads have work now; at least 1."""
        return max(1, min(self.threads, self._unfinished))

    def wait_for_room(self) -> None:
        """Until no more is unfinished than there is room for."""
        with self._changed:
            self._changed.wait_for(lambda: self._unfinished <= self._room)

    def hand(self, work: Callable[[], None]) -> None:
        """Have it done; whoever is to know how it ended learns that from the work itself."""
        with self._changed:
            self._waiting.append(work)
            self._unfinished += 1
            self._changed.notify_all()

    def close(self, until: float = NEVER) -> list[str]:
        """Let all that was handed on be finished; the names of the threads that have not by then
        (of `time.monotonic()`)."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        return joined(self._workers, until)

    def _work(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except BaseException as exc:  # a thread that died would leave the service without one
                with suppress(Exception):
                    log.error("a search failed", error=type(exc).__name__, exc_info=exc)
            finally:
                del work  # and the features with it
                with self._changed:
                    self._unfinished -= 1
                    self._changed.notify_all()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return self._waiting.popleft() if self._waiting else None
