"""Threads that nobody waits for when the process ends.

A network or a disk may hang, and with it the thread that asked. Python's own executors join their
threads at the end of the process, however long it takes; these are let go.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

NEVER = float("inf")


@dataclass(frozen=True)
class _Turn:
    work: Callable[[], Any]
    done: Future[Any] = field(default_factory=Future)

    def take(self) -> None:
        if not self.done.set_running_or_notify_cancel():
            return
        try:
            result = self.work()
        except BaseException as exc:
            self.done.set_exception(exc)
        else:
            self.done.set_result(result)


class Crew:
    """Up to `size` threads for one kind of work, each started when there is work for it."""

    def __init__(self, size: int, name: str) -> None:
        """`name` is what the threads' names begin with."""
        self.size, self._name = size, name
        self._waiting: deque[_Turn] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """How much work no thread has begun yet."""
        return len(self._waiting)

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Do it when a thread is free.

        Raises:
            RuntimeError: the crew is closed.
        """
        turn = _Turn(work)
        with self._changed:
            if self._closed:
                raise RuntimeError(f"no work is taken any more: {self._name} is closed")
            self._waiting.append(turn)
            if len(self._waiting) > self._idle and len(self._threads) < self.size:
                self._start()
            self._changed.notify()
        return turn.done

    def stop(self) -> None:
        """Drop what has not started; running work goes on."""
        with self._changed:
            self._closed = True
            dropped = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        for turn in dropped:
            turn.done.cancel()

    def close(self, until: float = NEVER) -> list[str]:
        """Stop, and wait for running work until then (of `time.monotonic()`).

        Returns:
            the names of the threads that are still at work.
        """
        self.stop()
        return joined(self._threads, until)

    def _start(self) -> None:
        name = f"{self._name}_{len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (turn := self._next()) is not None:
            turn.take()
            del turn  # and what it holds, while this thread waits for the next

    def _next(self) -> _Turn | None:
        with self._changed:
            self._idle += 1
            while not (self._waiting or self._closed):
                self._changed.wait()
            self._idle -= 1
            return self._waiting.popleft() if self._waiting else None


def joined(threads: Iterable[threading.Thread], until: float = NEVER) -> list[str]:
    """Wait for threads until then (of `time.monotonic()`); the names of those that go on."""
    left = []
    for thread in threads:
        thread.join(None if until == NEVER else max(0.0, until - time.monotonic()))
        if thread.is_alive():
            left.append(thread.name)
    return left


async def beside(work: Callable[[], T], name: str = "beside") -> T:
    """Do it on a thread of its own beside the loop, in the caller's context.

    As `asyncio.to_thread`, whose threads keep the process from ending while one of them hangs.
    """
    turn = _Turn(partial(contextvars.copy_context().run, work))
    threading.Thread(target=turn.take, name=name, daemon=True).start()
    result: T = await asyncio.wrap_future(turn.done)
    return result
