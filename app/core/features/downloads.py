"""Downloads that never hang: a silent network is reported within seconds."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

# A silent network must be reported within 10 s; the rest of that time is for the answer itself.
NETWORK_TIMEOUT_S = 6.0


def probe(url: str) -> None:
    """Ask for the file's header only, in a thread: name look-ups obey no socket timeout.

    Goes through the environment's proxies, as the download itself does.
    """
    outcome: list[Exception | None] = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=NETWORK_TIMEOUT_S):  # noqa: S310
                outcome.append(None)
        except Exception as exc:  # carried over to the caller's thread
            outcome.append(exc)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(NETWORK_TIMEOUT_S + 2)
    if not outcome:
        raise TimeoutError("no answer from the network")
    if outcome[0] is not None:
        raise outcome[0]


@contextmanager
def socket_timeout(seconds: float) -> Iterator[None]:
    """torch.hub opens its connection without a timeout: lend it the process's default."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
