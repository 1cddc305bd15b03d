"""Signals, handed to the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


def on_loop(loop: asyncio.AbstractEventLoop, name: str, call: Callable[[], object]) -> bool:
    """Let a signal's work be done on the loop, soon after the signal has come.

    Python runs a handler between any two steps of the main thread. That thread may hold a lock just
    then (the log's, a metric's) that the work needs, and would wait for itself. So the handler does
    nothing but queue the call, which takes no lock.

    Not `loop.add_signal_handler`: when the loop closes it puts the default in place, and the next
    signal kills a process that was about to end in order.

    Args:
        name: such as "SIGHUP".

    Returns:
        False where it cannot be: no such signal on this system, or not on the main thread.
    """
    number = getattr(signal, name, None)
    if number is None or threading.current_thread() is not threading.main_thread():
        return False
    context = contextvars.copy_context()  # not that of the request that the signal interrupts

    def hand_over(_number: int, _frame: FrameType | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nothing is left to be told
            loop.call_soon_threadsafe(call, context=context)

    signal.signal(number, hand_over)
    return True


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """While this lasts SIGTERM ends the process at once, where a server waits for the signal.

    For the start: banks may take minutes to load, or a network hangs in its first test, and until
    the loop turns again nobody would heed the signal. Nothing is answered or written by then.
    """
    servers = signal.getsignal(signal.SIGTERM)
    if not callable(servers) or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        # Neither the log, whose lock may be held, nor an exit that waits for threads.
        os.write(2, b'{"event": "stopped by SIGTERM while starting", "level": "info"}\n')
        os._exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, servers)
