"""SIGTERM: readiness goes false first, and only some seconds later does the server stop."""

from __future__ import annotations

import asyncio
import signal
import threading
from types import FrameType

import structlog

log = structlog.get_logger()


class Drain:
    """Delays the server's own handling of SIGTERM.

    While it lasts, requests are answered as ever, but with `Connection: close`, and /readyz says
    no: whoever balances load looks elsewhere, and kept connections are gone before the server
    closes them. A second SIGTERM stops at once; SIGINT always does.

    Attributes:
        active: whether SIGTERM has come.
    """

    def __init__(self, seconds: float) -> None:
        self.active = False
        self._seconds = seconds

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take over SIGTERM from the server that runs this loop, if there is one."""
        server = signal.getsignal(signal.SIGTERM)
        if not callable(server) or threading.current_thread() is not threading.main_thread():
            return

        def stop() -> None:
            server(signal.SIGTERM, None)

        def begin(_: int, frame: FrameType | None) -> None:
            if self.active:
                server(signal.SIGTERM, frame)
                return
            self.active = True
            log.info("draining", seconds=self._seconds)
            loop.call_soon_threadsafe(loop.call_later, self._seconds, stop)

        signal.signal(signal.SIGTERM, begin)
