"""Middleware: what each request gets: an id, a log line, its metrics, its 500."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

import structlog
from h11 import LocalProtocolError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...service.drain import Drain
from ...service.metrics import Metrics
from ..problems import unforeseen

log = structlog.get_logger()

_GONE = 499  # nginx's status for a client that went away first
_CLOSES_S = 5.0
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestContext:
    """Middleware: request id, one log line and the metrics of each request, and the 500.

    Plain ASGI, since Starlette's BaseHTTPMiddleware would read the whole body.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, drain: Drain) -> None:
        self._app = app
        self._metrics = metrics
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        state["request_id"], state["started"] = request_id, start
        status: int | None = None
        begun = start

        async def send_with_id(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], time.perf_counter()
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                if self._drain.active:
                    headers["Connection"] = "close"
            try:
                await send(message)
            except LocalProtocolError as exc:
                # What came behind the request was no HTTP: the server has answered that, 400, and
                # is about to close the connection.
                status = _GONE
                log.info("answer not sent", reason=str(exc))
                raise ClientDisconnect from exc

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except ClientDisconnect:
                if status == _GONE:
                    await _until_closed(receive)
                status = status or _GONE  # nobody is left to answer
            except Exception as exc:
                log.exception("unforeseen error", path=scope["path"])
                if status is None:
                    state["problem"] = "internal"
                    await unforeseen(exc, request_id)(scope, receive, send_with_id)
            end = time.perf_counter()
            if state.get("streams") and status is not None:
                # How long someone watches says nothing of how fast the service answers.
                state.setdefault("log", {})["open_s"] = round(end - begun, 1)
                end = begun
            self._record(scope, status or 500, end - start)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method, state = scope["method"], scope["state"]
        route = state.get("route") or getattr(scope.get("route"), "path", "unmatched")
        self._metrics.requests.labels(route, _known(method), str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        if slug := state.get("problem"):
            self._metrics.problems.labels(slug).inc()
        getattr(log, _level(route, status))(
            "request",
            method=method,
            path=scope["path"],
            status=status,
            problem=state.get("problem"),
            key=state.get("key_name"),
            ms=round(seconds * 1000, 1),
            **state.get("log", {}),
        )


async def _until_closed(receive: Receive) -> None:
    """The server takes an answer that is not complete for our fault until it has noticed itself."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSES_S):
            while (await receive())["type"] != "http.disconnect":
                pass


def _level(route: str, status: int) -> str:
    if status >= 500 or status == 429:
        return "warning"
    return "debug" if route in ("/livez", "/readyz", "/metrics") and status < 400 else "info"


def _known(method: str) -> str:
    """A closed set of label values, whatever a client sends."""
    return method if method in ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS") else "other"
