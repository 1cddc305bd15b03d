"""Work beside and on the event loop of which nothing is done that is not wanted any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from ..core.crew import NEVER, Crew
from ..core.errors import DeadlineExceeded, OutOfMemory
from ..core.threads import thread_budget

T = TypeVar("T")


class Pool:
    """As many threads as the process may use (`set_threads`), for one kind of work on photos."""

    def __init__(self, verb: str) -> None:
        """`verb` says what is done to a photo: in the threads' names and in errors."""
        self._verb = verb
        self._threads = Crew(thread_budget(), verb)

    async def run(
        self,
        work: Callable[[], T],
        *,
        until: float = NEVER,
        unwanted: Callable[[T], object] = lambda _: None,
    ) -> T:
        """Do it when a thread is free. Where the caller is cancelled first, the work and what it
        holds are let go at once.

        Args:
            until: of `time.monotonic()`, from which on it is not begun.
            unwanted: told of a result for which nobody waits any more, on any thread.

        Raises:
            DeadlineExceeded: too late to begin. OutOfMemory. What the work raises.
        """
        held = [work]
        del work

        def turn() -> T:
            if time.monotonic() >= until:
                raise DeadlineExceeded(
                    f"the time was over before it came to {self._verb} this photo"
                )
            return held.pop()()

        future = self._threads.submit(turn)
        try:
            return await asyncio.wrap_future(future)
        except MemoryError as exc:
            raise OutOfMemory(f"too little memory to {self._verb} this photo now") from exc
        except asyncio.CancelledError:
            held.clear()  # what is cancelled stays in the pool's queue until its turn comes
            future.add_done_callback(lambda done: _tell(unwanted, done))
            raise

    def stop(self) -> None:
        """Drop what has not started; running work goes on."""
        self._threads.stop()

    def close(self, until: float = NEVER) -> list[str]:
        """Stop, and let running work finish; the names of the threads that have not by then."""
        return self._threads.close(until)


def _tell(unwanted: Callable[[T], object], done: Future[T]) -> None:
    if not done.cancelled() and done.exception() is None:
        unwanted(done.result())


async def all_of(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All of it at once, results in order; the first error ends the rest."""
    if len(work) == 1:
        return [await work[0]]
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
