"""The end: what runs is waited for, but not for ever."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from .patience import CLOSE_S

log = structlog.get_logger()

_LAST_S = 0.5

Close = Callable[[float], Sequence[str]]


def close_all(*parts: Close, seconds: float = CLOSE_S) -> None:
    """Close parts one after the other, with one limit for all, after which threads are left behind.

    Args:
        parts: each takes until when to wait (of `time.monotonic()`), and names the threads that
            are still at work then.
    """
    until = time.monotonic() + seconds
    left = [name for close in parts for name in close(until)]
    if left:
        log.error("threads that hang are left behind", threads=left, waited_s=seconds)
        threading.Thread(target=_end_with_the_process, name="end", daemon=True).start()


def _end_with_the_process() -> None:
    """Once the program is over: end, whoever hangs.

    A thread inside a driver may never come back, or come back while the interpreter is taken apart
    under it, which crashes. A program that goes on after its service is not touched.
    """
    threading.main_thread().join()
    time.sleep(_LAST_S)  # usually the last thing that happens here: daemon threads end with Python
    with suppress(Exception):
        log.error("ended by force: a thread keeps the process")
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(0)
