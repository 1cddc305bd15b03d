"""SIGTERM: readiness goes false first, and only some seconds later does the server stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import structlog
import uvicorn

from .patience import GRACE_S, KEEP_ALIVE_S
from .signals import on_loop

log = structlog.get_logger()

# asyncio sets up the connections that it has accepted a moment later, and drops them if the port
# is closed by then: it accepts no more for so long before that.
_SETTLE_S = 0.02
# Between the closed port and the end of the server: requests that were on their way are read.
_LAST_REQUESTS_S = 0.5
# What uvicorn does with idle connections unless it is told; `5` asked for cannot be told from it.
_UVICORNS_KEEP_ALIVE_S = 5


class Drain:
    """Delays the server's own handling of SIGTERM.

    While it lasts, requests are answered as ever, but with `Connection: close`, and /readyz says
    no: whoever balances load looks elsewhere, and kept connections are gone before the server
    closes them. A second SIGTERM stops at once; SIGINT always does.

    uvicorn by itself closes in one breath its port, with the connections that nobody has accepted
    yet, and the connections whose request it has not read yet. So the port is closed here first,
    once all who have connected are let in, and the server ends a little later.

    Attributes:
        active: whether SIGTERM has come.
        server: what runs the loop, once installed and if it is uvicorn.
        on_begin: called then, on the loop.
    """

    def __init__(self, seconds: float) -> None:
        self.active = False
        self.server: uvicorn.Server | None = None
        self.on_begin: list[Callable[[], None]] = []
        self._seconds = seconds
        self._entering: set[asyncio.Task[Any]] = set()

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take over SIGTERM from the server that runs this loop, if there is one."""
        handler = signal.getsignal(signal.SIGTERM)
        if not callable(handler):
            return
        server = self.server = server_of(handler)
        if server is not None:
            _be_patient(server.config)

        def stop() -> None:
            handler(signal.SIGTERM, None)

        def told() -> None:
            if self.active:
                stop()
            else:
                self._begin(loop, server, stop)

        on_loop(loop, "SIGTERM", told)

    def _begin(
        self,
        loop: asyncio.AbstractEventLoop,
        server: uvicorn.Server | None,
        stop: Callable[[], None],
    ) -> None:
        self.active = True
        log.info("draining", seconds=self._seconds)

        def end() -> None:
            wait_s = 0.0
            if server is not None and isinstance(loop, asyncio.SelectorEventLoop):
                for port in _ports(server):
                    loop.remove_reader(port)
                loop.call_later(_SETTLE_S, self._close_ports, loop, server)
                wait_s = _SETTLE_S + _LAST_REQUESTS_S
            loop.call_later(wait_s, stop)

        loop.call_later(self._seconds, end)
        for tell in self.on_begin:
            tell()

    def _close_ports(self, loop: asyncio.AbstractEventLoop, server: uvicorn.Server) -> None:
        """Let in who has connected, then refuse."""
        for port in _ports(server):
            for connection in _waiting(port):
                task = loop.create_task(_let_in(loop, server, connection))
                self._entering.add(task)  # the loop itself holds no task
                task.add_done_callback(self._entering.discard)
        for listener in server.servers:
            listener.close()


def _be_patient(config: uvicorn.Config) -> None:
    """As `goodsguard serve` and the image are, where uvicorn was started by its own name."""
    if config.timeout_graceful_shutdown is None:
        config.timeout_graceful_shutdown = GRACE_S
    if config.timeout_keep_alive == _UVICORNS_KEEP_ALIVE_S:
        config.timeout_keep_alive = KEEP_ALIVE_S


def server_of(handler: object) -> uvicorn.Server | None:
    """The server whose handler of a signal this is."""
    server = getattr(handler, "__self__", None)
    return server if isinstance(server, uvicorn.Server) else None


def _ports(server: uvicorn.Server) -> list[int]:
    return [port.fileno() for listener in server.servers for port in listener.sockets]


def _waiting(port: int) -> Iterator[socket.socket]:
    """Connections that the kernel has made and nobody has accepted."""
    with socket.socket(fileno=os.dup(port)) as listening:
        listening.listen(0)  # hardly any more of them from now on
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:  # none is left
                return
            connection.setblocking(False)
            yield connection


async def _let_in(
    loop: asyncio.AbstractEventLoop, server: uvicorn.Server, connection: socket.socket
) -> None:
    """As uvicorn does with each new connection."""
    config = server.config

    def protocol() -> asyncio.Protocol:
        made: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]
            config=config, server_state=server.server_state, app_state=server.lifespan.state
        )
        return made

    await loop.connect_accepted_socket(protocol, connection, ssl=config.ssl)
