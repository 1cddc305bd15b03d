"""Reading a body: at most so many bytes, within so much time, within the memory for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager

from fastapi import Request

from ..problems import BadUpload, BodyTimeout, BodyTooLarge, BodyTooLate, TooManyUploads

# Where both limits end at about the same moment, the body's own says more.
_ABOUT_S = 0.1


class BodyMemory:
    """Bytes of the bodies that are being received; not thread-safe, the event loop alone asks it.

    A body is counted as it is kept, not as it is announced: whoever announces much and sends
    little takes no room from the others. What is counted is what is held, since nothing of it is
    held twice.
    """

    def __init__(self) -> None:
        self.held = 0

    @contextmanager
    def body(self, limit: int) -> Iterator[Callable[[int], None]]:
        """Count one body, until it is handed on: call the result with the bytes that are kept
        more, and with a negative number where some are let go.

        That raises `TooManyUploads` where there are then more than `limit` bytes over all bodies;
        a lone body is never refused, since it could never be taken otherwise.
        """
        own = 0

        def take(size: int) -> None:
            nonlocal own
            if size > 0 and self.held > own and self.held + size > limit:
                raise TooManyUploads("too many photos are being received; come back in 1 s", 1)
            own += size
            self.held += size

        try:
            yield take
        finally:
            self.held -= own


async def chunks(
    request: Request, limit: int, seconds: float, deadline: float
) -> AsyncGenerator[bytes, None]:
    """The body's chunks, refused as soon as there are more bytes than the limit.

    Args:
        deadline: when the whole request's time is over, of `time.monotonic()`.

    Raises:
        BodyTooLarge: it is announced or becomes too long; what was announced is not read.
        BodyTimeout: it has not arrived within `seconds`. BodyTooLate: nor by the deadline.
        BadUpload: it ends before its announced length.
    """
    too_large = BodyTooLarge(f"the body has more than {limit:,} bytes")
    announced = _announced(request)
    if announced > limit:
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
            if received < announced:
                raise BadUpload(
                    f"the body is cut short: {received:,} of the {announced:,} bytes that its "
                    "Content-Length announces arrived"
                )
            return
        received += len(chunk)
        if received > limit:
            raise too_large
        yield chunk


def _announced(request: Request) -> int:
    """The length that the request's header gives; 0 where it gives none, or comes in pieces that
    say their own (RFC 9112, 6.3)."""
    if "transfer-encoding" in request.headers:
        return 0
    length = request.headers.get("content-length", "")
    return int(length[:20]) if length.isdecimal() else 0
