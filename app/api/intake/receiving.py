"""Reading a body: at most so many bytes, within so much time, within the memory for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager

from fastapi import Request

from ..problems import BodyTimeout, BodyTooLarge, BodyTooLate, TooManyUploads

# Where both limits end at about the same moment, the body's own says more.
_ABOUT_S = 0.1


class BodyMemory:
    """Bytes of the bodies that are being received; not thread-safe, the event loop alone asks it.

    A body is counted as it arrives, not as it is announced: whoever announces much and sends
    little takes no room from the others.
    """

    def __init__(self) -> None:
        self.held = 0

    @contextmanager
    def body(self, limit: int) -> Iterator[Callable[[int], None]]:
        """Count one body, until it is handed on: call the result with each chunk's size.

        That raises `TooManyUploads` where there are then more than `limit` bytes over all bodies;
        a lone body is never refused, since it could never be taken otherwise.
        """
        own = 0

        def take(size: int) -> None:
            nonlocal own
            if self.held > own and self.held + size > limit:
                raise TooManyUploads("too many photos are being received; come back in 1 s", 1)
            own += size
            self.held += size

        try:
            yield take
        finally:
            self.held -= own


async def chunks(
    request: Request, limit: int, seconds: float, deadline: float, take: Callable[[int], None]
) -> AsyncGenerator[bytes, None]:
    """The body's chunks, refused as soon as there are more bytes than the limit.

    Args:
        deadline: when the whole request's time is over, of `time.monotonic()`.

    Raises:
        BodyTooLarge: it is announced or becomes too long; what was announced is not read.
        BodyTimeout: it has not arrived within `seconds`. BodyTooLate: nor by the deadline.
        TooManyUploads: `take` says so.
    """
    too_large = BodyTooLarge(f"the body has more than {limit:,} bytes")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise too_large
    until = asyncio.get_running_loop().time() + seconds  # asyncio's clock is time.monotonic()
    late = deadline < until - _ABOUT_S
    received = 0
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout_at(deadline if late else until):
                chunk = await anext(stream, None)
        except TimeoutError as exc:
            if late:
                raise BodyTooLate("the time was over before the body had arrived") from exc
            raise BodyTimeout(f"the body did not arrive within {seconds:g} s") from exc
        if chunk is None:
            return
        received += len(chunk)
        if received > limit:
            raise too_large
        take(len(chunk))
        yield chunk
