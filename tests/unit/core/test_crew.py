from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from contextvars import ContextVar

import pytest

from app.core.crew import Crew, beside
from tests.support import ROOT

TIMEOUT = 20


def test_work_is_done_and_its_error_is_told() -> None:
    crew = Crew(2, "test")
    assert crew.submit(lambda: 3).result(TIMEOUT) == 3
    with pytest.raises(ZeroDivisionError):
        crew.submit(lambda: 1 // 0).result(TIMEOUT)
    assert crew.close() == []


def test_no_more_threads_than_it_has_and_as_many_where_there_is_work() -> None:
    """Each waits for all the others: they meet only where all of them run at once."""
    crew, together = Crew(3, "test"), threading.Barrier(3)
    meetings = [crew.submit(lambda: together.wait(TIMEOUT)) for _ in range(9)]
    assert sorted(m.result(TIMEOUT) for m in meetings) == [0] * 3 + [1] * 3 + [2] * 3
    names = {crew.submit(lambda: threading.current_thread().name).result(TIMEOUT)}
    assert names <= {"test_0", "test_1", "test_2"}
    crew.close()


def test_what_has_not_begun_is_dropped_and_what_hangs_is_named() -> None:
    crew, go_on, begun = Crew(1, "test"), threading.Event(), threading.Event()

    def hang() -> bool:
        begun.set()
        return go_on.wait(TIMEOUT)

    running, waiting = crew.submit(hang), crew.submit(lambda: None)
    assert begun.wait(TIMEOUT)
    assert crew.close(time.monotonic() + 0.01) == ["test_0"]
    with pytest.raises(CancelledError):
        waiting.result(TIMEOUT)
    with pytest.raises(RuntimeError, match="closed"):
        crew.submit(lambda: None)
    go_on.set()
    assert running.result(TIMEOUT)
    assert crew.close() == []


VARIABLE = ContextVar("VARIABLE", default="none")


@pytest.mark.anyio
async def test_beside_the_loop_in_the_callers_context() -> None:
    VARIABLE.set("mine")
    seen = await beside(lambda: (VARIABLE.get(), threading.current_thread().name), "reload")
    assert seen == ("mine", "reload")
    with pytest.raises(ZeroDivisionError):
        await beside(lambda: 1 // 0)


HANGS = """
import asyncio, threading
from app.core.crew import Crew, beside
from app.service.closing import close_all

async def main():
    crew, begun = Crew(2, "test"), threading.Event()
    def hang():
        begun.set()
        threading.Event().wait()
    crew.submit(hang)
    hanging = asyncio.ensure_future(beside(hang))
    await asyncio.to_thread(begun.wait)
    if {joined}:
        threading.Thread(target=hang).start()  # as a library's might
    close_all(crew.close, seconds=0.05)
    hanging.cancel()

asyncio.run(main())
print("the end", flush=True)
"""


@pytest.mark.parametrize("joined", [False, True])
def test_a_thread_that_hangs_does_not_keep_the_process(joined: bool) -> None:
    """Not even one that Python joins at the end."""
    done = subprocess.run(
        [sys.executable, "-c", HANGS.format(joined=joined)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "the end" in done.stdout
    assert "left behind" in done.stdout
    assert "test_0" in done.stdout
    assert ("ended by force" in done.stdout) == joined
