"""Prometheus metrics, and the middleware that gives each request its id, its log line, its 500."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, get_args

import structlog
from h11 import LocalProtocolError
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...core.detector import Verdict
from ...service.drain import Drain
from ...service.registry import Registry, Unavailable
from ...service.reloads import Outcome
from ..problems import CAUSES, unforeseen

log = structlog.get_logger()

_GONE = 499  # nginx's status for a client that went away first
_CLOSES_S = 5.0
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Telemetry:
    """One application's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "goodsguard_requests",
            "HTTP requests",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "goodsguard_request_seconds",
            "HTTP request duration",
            ["route"],
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "goodsguard_stage_seconds",
            "Duration of each stage of a photo",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )
        self.verdicts = Counter(
            "goodsguard_verdicts", "Verdicts", ["category", "verdict"], registry=self.registry
        )
        self.problems = Counter(
            "goodsguard_problems",
            "Requests answered with a problem",
            ["type"],
            registry=self.registry,
        )
        self.queue_depth = Gauge(
            "goodsguard_queue_depth", "Photos in work or waiting", registry=self.registry
        )
        self.queue_size = Gauge(
            "goodsguard_queue_size",
            "Photos in work or waiting beyond which 429 is answered",
            registry=self.registry,
        )
        self.category_up = Gauge(
            "goodsguard_category_up",
            "1 where the category's bank serves",
            ["category"],
            registry=self.registry,
        )
        self.bank_info = Gauge(
            "goodsguard_bank_info",
            "The serving bank version (always 1)",
            ["category", "bank_version", "preset"],
            registry=self.registry,
        )
        self.reload_failed = Gauge(
            "goodsguard_reload_failed",
            "1 where the version that `current` names could not be taken up",
            ["category"],
            registry=self.registry,
        )
        self.reloads = Counter(
            "goodsguard_reloads",
            "Banks looked at by reloads, by what became of them",
            ["outcome"],
            registry=self.registry,
        )
        self.photo_pixels = Histogram(
            "goodsguard_photo_pixels",
            "Pixels of judged photos",
            buckets=(1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8),
            registry=self.registry,
        )
        self.photo_bytes = Histogram(
            "goodsguard_photo_bytes",
            "Bytes of judged photos",
            buckets=(1e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7),
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)  # memory, CPU, open files, start time
        # At 0 from the start: a counter that appears with its first event shows no increase.
        for outcome in get_args(Outcome):
            self.reloads.labels(outcome)
        for cause in CAUSES.values():
            self.problems.labels(cause.slug)

    def show(self, banks: Registry) -> None:
        """Show which categories serve, and with what."""
        self.category_up.clear()
        self.bank_info.clear()
        self.reload_failed.clear()
        for name, entry in banks.entries.items():
            self.category_up.labels(name).set(not isinstance(entry, Unavailable))
            self.reload_failed.labels(name).set(name in banks.failures)
        for name, detector in banks.detectors.items():
            m = detector.manifest
            self.bank_info.labels(name, m.bank_version, m.preset).set(1)
            for verdict in get_args(Verdict):
                self.verdicts.labels(name, verdict)


class RequestContext:
    """Middleware: request id, one log line and the metrics of each request, and the 500.

    Plain ASGI, since Starlette's BaseHTTPMiddleware would read the whole body.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry, drain: Drain) -> None:
        self._app = app
        self._telemetry = telemetry
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

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
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
            self._record(scope, status or 500, time.perf_counter() - start)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method, state = scope["method"], scope["state"]
        route = state.get("route") or getattr(scope.get("route"), "path", "unmatched")
        self._telemetry.requests.labels(route, _known(method), str(status)).inc()
        self._telemetry.request_seconds.labels(route).observe(seconds)
        if slug := state.get("problem"):
            self._telemetry.problems.labels(slug).inc()
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
