"""How long a request's work is wanted: until its deadline, and as long as its client is there."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request
from starlette.requests import ClientDisconnect

from ...core.errors import DeadlineExceeded
from ..services import ServicesDep

T = TypeVar("T")


async def deadline(
    request: Request,
    parts: ServicesDep,
    x_request_timeout: Annotated[
        float | None,
        Header(
            gt=0,
            allow_inf_nan=False,
            description="seconds after which the answer is not wanted any more; at most the "
            "service's own limit",
        ),
    ] = None,
) -> float:
    """When the request's time is over, of `time.monotonic()`, counted from its first byte."""
    seconds = min(x_request_timeout or math.inf, parts.settings.request_timeout_s)
    begun: float = request.state.started  # of time.perf_counter()
    return time.monotonic() + seconds - (time.perf_counter() - begun)


DeadlineDep = Annotated[float, Depends(deadline)]


async def while_wanted(request: Request, until: float, work: Coroutine[Any, Any, T]) -> T:
    """Do the work unless its time is over or its client goes away first; it is cancelled then.

    Only for a request whose body has been read.

    Raises:
        DeadlineExceeded: `until`, of `time.monotonic()`, came first.
        ClientDisconnect: the client went away.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
    try:
        left = max(0.0, until - time.monotonic())
        await asyncio.wait({task, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if gone.done():
            raise ClientDisconnect
        raise DeadlineExceeded("the time for this request is over; nothing more is done for it")
    finally:
        for pending in (task, gone):
            pending.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
