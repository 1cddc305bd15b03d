from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest

from app.core.errors import DeadlineExceeded, OutOfMemory
from app.core.threads import set_threads
from app.service.pool import Pool, all_of

pytestmark = pytest.mark.anyio

TIMEOUT = 20


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool("decode")
    yield made
    made.close()


@contextmanager
def busy(pool: Pool) -> Iterator[None]:
    """All of its threads are at work until the end."""
    release, threads = threading.Event(), pool._threads
    held = [threads.submit(lambda: release.wait(TIMEOUT)) for _ in range(threads.size)]
    until = time.monotonic() + TIMEOUT
    while threads.waiting:  # until each has begun
        assert time.monotonic() < until
        time.sleep(0.001)
    try:
        yield
    finally:
        release.set()
    assert all(future.result() for future in held)


async def cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_work_is_done_on_another_thread(pool: Pool) -> None:
    assert await pool.run(threading.get_ident) != threading.get_ident()


async def test_what_it_raises_is_raised_where_it_is_awaited(pool: Pool) -> None:
    with pytest.raises(ValueError, match="'x'"):
        await pool.run(partial(int, "x"))


async def test_nothing_is_begun_after_its_deadline(pool: Pool) -> None:
    begun = threading.Event()
    with pytest.raises(DeadlineExceeded, match="came to decode"):
        await pool.run(begun.set, until=time.monotonic())
    assert not begun.is_set()


async def test_too_little_memory_is_told_by_its_name(pool: Pool) -> None:
    def exhausted() -> None:
        raise MemoryError

    with pytest.raises(OutOfMemory, match="to decode this photo"):
        await pool.run(exhausted)


async def test_what_nobody_waits_for_is_let_go_at_once(pool: Pool) -> None:
    """Though the threads are busy for long: a client may come, leave, and come again."""
    photo = bytes(range(256)) * 10
    held = sys.getrefcount(photo)
    with busy(pool):
        task = asyncio.create_task(pool.run(partial(len, photo)))
        while not pool._threads.waiting:
            await asyncio.sleep(0)
        assert sys.getrefcount(photo) > held
        await cancelled(task)
        del task
        gc.collect()
        assert sys.getrefcount(photo) == held


@pytest.mark.parametrize("fails", [False, True])
async def test_a_result_that_comes_too_late_is_told(pool: Pool, *, fails: bool) -> None:
    """Of work that was under way when its caller was cancelled."""
    begun, go_on, told = threading.Event(), threading.Event(), threading.Event()
    results: list[str] = []

    def work() -> str:
        begun.set()
        assert go_on.wait(TIMEOUT)
        if fails:
            raise ValueError
        return "a picture"

    def unwanted(result: str) -> None:
        results.append(result)
        told.set()

    task = asyncio.create_task(pool.run(work, unwanted=unwanted))
    assert await asyncio.to_thread(begun.wait, TIMEOUT)
    await cancelled(task)
    go_on.set()
    if not fails:
        assert await asyncio.to_thread(told.wait, TIMEOUT)
    pool.close()
    assert results == ([] if fails else ["a picture"])


async def test_a_result_that_is_awaited_is_not_told(pool: Pool) -> None:
    told: list[int] = []
    assert await pool.run(partial(len, "abc"), unwanted=told.append) == 3
    pool.close()
    assert told == []


async def answered(value: int, ready: asyncio.Event) -> int:
    await ready.wait()
    return value


async def test_results_of_all_come_in_order() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(all_of([answered(1, first), answered(2, second)]))
    second.set()
    await asyncio.sleep(0)
    assert not task.done()
    first.set()
    assert await task == [1, 2]
    assert await all_of([answered(3, first)]) == [3]
    nothing: list[int] = await all_of([])
    assert nothing == []


async def test_the_first_error_ends_the_rest() -> None:
    ended = asyncio.Event()

    async def endless() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 1

    async def broken() -> int:
        await asyncio.sleep(0)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await all_of([endless(), broken()])
    assert ended.is_set()


@pytest.mark.parametrize("threads", [1, 3])
def test_it_has_as_many_threads_as_the_process_may_use(threads: int) -> None:
    """However many processors there are: GOODSGUARD_THREADS bounds decoding, too."""
    set_threads(threads)
    pool = Pool("decode")
    try:
        with busy(pool):
            names = [t.name for t in threading.enumerate() if t.name.startswith("decode")]
            assert len(names) == threads
    finally:
        pool.close()
        set_threads(1)
