"""The photos of a request's body: the multipart field, or the body itself."""

from __future__ import annotations

import io
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from fastapi import Request
from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ..problems import BadUpload, BodyTooLarge, NotAnImageType
from ..services import services
from .receiving import chunks

# Multipart's own lines around each file; generous, since only the photos may be large.
_MULTIPART_SLACK = 64 << 10
# Nothing but the photos is asked for; some forms send a few fields beside them.
_MAX_FIELDS = 8
_MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file.

    Attributes:
        filename: as sent, for the answer only.
        data: its bytes; none of one that is too large.
        received_ms: from the request's start until all of its body was there.
        too_large: why it is not to be judged.
    """

    filename: str | None
    data: bytes
    received_ms: float
    too_large: BodyTooLarge | None = None


async def read_photo(request: Request, until: float) -> Upload:
    """One photo: the multipart field `file`, or the body itself with an `image/*` content type.

    Args:
        until: when the request's time is over, of `time.monotonic()`.

    Raises:
        BodyTooLarge, BodyTimeout, BodyTooLate, TooManyUploads, NotAnImageType, BadUpload.
    """
    max_bytes = services(request).settings.max_bytes
    content_type = _content_type(request)
    if content_type.startswith("image/"):
        body = io.BytesIO()  # not a list of chunks, which may be of one byte each
        async with _receive(request, max_bytes, until) as stream:
            async for chunk in stream:
                body.write(chunk)
        return Upload(None, body.getvalue(), ms_since_start(request))
    if content_type != "multipart/form-data":
        raise NotAnImageType(
            "send the photo as multipart/form-data in the field 'file', or as the body with an "
            "image/* content type"
        )
    (upload,) = await _read_multipart(request, "file", until, max_files=1)
    if upload.too_large is not None:
        raise upload.too_large
    return upload


async def read_photos(request: Request, until: float) -> list[Upload]:
    """Several photos: the multipart field `files`, repeated. One that is too large does not cost
    the others.

    Raises:
        BodyTooLarge, BodyTimeout, BodyTooLate, TooManyUploads, NotAnImageType, BadUpload.
    """
    if _content_type(request) != "multipart/form-data":
        raise NotAnImageType("send the photos as multipart/form-data in the field 'files'")
    max_files = services(request).settings.max_batch
    return await _read_multipart(request, "files", until, max_files=max_files)


def ms_since_start(request: Request) -> float:
    """Milliseconds since the request came in."""
    begun: float = request.state.started
    return (time.perf_counter() - begun) * 1000


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@asynccontextmanager
async def _receive(
    request: Request, limit: int, until: float
) -> AsyncIterator[AsyncGenerator[bytes, None]]:
    parts = services(request)
    with parts.bodies.body(parts.settings.max_upload_bytes) as take:
        seconds = parts.settings.body_timeout_s
        async with aclosing(chunks(request, limit, seconds, until, take)) as stream:
            yield stream


class _MemoryMultiPartParser(MultiPartParser):
    # The body's limit bounds the memory; spilling to a disk that may be read-only would not help.
    spool_max_size = 1 << 40


async def _read_multipart(
    request: Request, form_field: str, until: float, *, max_files: int
) -> list[Upload]:
    max_bytes = services(request).settings.max_bytes
    async with _receive(request, max_files * (max_bytes + _MULTIPART_SLACK), until) as stream:
        parser = _MemoryMultiPartParser(
            request.headers, stream, max_files=max_files, max_fields=_MAX_FIELDS
        )
        try:
            form = await parser.parse()
        except MultiPartException as exc:
            raise BadUpload(exc.message) from exc
        except (FormParserError, ValueError) as exc:
            raise BadUpload("the multipart body is malformed") from exc
        try:
            files = [item for item in form.getlist(form_field) if isinstance(item, UploadFile)]
            if not files:
                raise BadUpload(f"the multipart body has no file in the field {form_field!r}")
            received_ms = ms_since_start(request)
            return [await _upload(file, max_bytes, received_ms) for file in files]
        finally:
            await form.close()


async def _upload(file: UploadFile, max_bytes: int, received_ms: float) -> Upload:
    name, data = _name(file.filename), await file.read()
    if len(data) > max_bytes:
        too_large = BodyTooLarge(f"the photo has more than {max_bytes:,} bytes")
        return Upload(name, b"", received_ms, too_large)
    return Upload(name, data, received_ms)


def _name(name: str | None) -> str | None:
    """The name as it may stand in an answer: in an odd encoding it may hold half a character."""
    return name and name[:_MAX_NAME].encode("utf-8", "replace").decode()
