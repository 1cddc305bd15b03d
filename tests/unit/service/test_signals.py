"""What is done at a signal is done on the loop, never where the signal breaks in."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import structlog

from app.service.signals import on_loop
from tests.support import ROOT

# The signal comes while the main thread writes a log line, and so holds the log's lock: that is
# made certain by a file that raises the signal as it is written to.
HELD = """
import asyncio, io, signal, sys
import structlog
from app.service.drain import Drain
from app.service.hangup import Hangup

class Disturbed(io.StringIO):
    left = 5
    def write(self, text):
        if self.left and text.strip():
            self.left -= 1
            signal.raise_signal(getattr(signal, sys.argv[1]))
        return super().write(text)

async def main():
    stopped = asyncio.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    drain = Drain(0.01)
    loop = asyncio.get_running_loop()
    drain.install(loop)
    Hangup(drain).install(loop)
    file = Disturbed()
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file))
    log = structlog.get_logger()
    for number in range(5):
        log.info("a line", number=number)
    if sys.argv[1] == "SIGTERM":
        await stopped.wait()
    else:
        while "it is being started" not in file.getvalue():
            await asyncio.sleep(0)
    print(file.getvalue())

asyncio.run(main())
"""


@pytest.mark.parametrize(("name", "said"), [("SIGTERM", "draining"), ("SIGHUP", "SIGHUP: nothing")])
def test_a_signal_while_a_log_line_is_written(name: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELD, name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.count("a line") == 5
    assert said in done.stdout


@pytest.fixture
def _handler_restored() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.anyio
@pytest.mark.usefixtures("_handler_restored")
async def test_the_call_is_made_later_and_knows_nothing_of_what_was_interrupted() -> None:
    called = asyncio.Event()
    seen: list[dict[str, object]] = []

    def call() -> None:
        seen.append(structlog.contextvars.get_contextvars())
        called.set()

    assert on_loop(asyncio.get_running_loop(), "SIGUSR1", call)
    with structlog.contextvars.bound_contextvars(request_id="interrupted"):
        signal.raise_signal(signal.SIGUSR1)
        assert not seen
    await asyncio.wait_for(called.wait(), 20)
    assert seen == [{}]


@pytest.mark.usefixtures("_handler_restored")
def test_a_loop_that_is_closed_needs_no_telling() -> None:
    loop = asyncio.new_event_loop()
    assert on_loop(loop, "SIGUSR1", lambda: None)
    loop.close()
    signal.raise_signal(signal.SIGUSR1)  # raises nothing


@pytest.mark.anyio
async def test_what_cannot_be_taken_over_is_left_alone() -> None:
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGUSR1)
    assert not on_loop(loop, "SIGNONE", lambda: None)
    taken: list[bool] = []
    thread = threading.Thread(target=lambda: taken.append(on_loop(loop, "SIGUSR1", print)))
    thread.start()
    thread.join()
    assert taken == [False]
    assert signal.getsignal(signal.SIGUSR1) is before
