"""The photos of a request's body: the multipart field, or the body itself."""

from __future__ import annotations

import io
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from fastapi import Request

from ..problems import BodyTooLarge, EncodedBody, NotAnImageType
from ..services import services
from .mistakes import how_to_send
from .multipart import FormFile, FormFiles
from .receiving import chunks

# Multipart's own lines around each file; generous, since only the photos may be large.
_MULTIPART_SLACK = 64 << 10
_MAX_NAME = 255

_AS_BODY = (
    "as the body with an image/* content type (curl --data-binary @photo.jpg "
    "-H 'Content-Type: image/jpeg')"
)


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
        async with _receive(request, max_bytes, until) as (stream, take):
            async for chunk in stream:
                take(len(chunk))
                body.write(chunk)
        upload = Upload(None, body.getvalue(), ms_since_start(request))
    elif content_type == "multipart/form-data":
        (upload,), _ = await _read_multipart(request, "file", until, max_files=1)
    else:
        raise NotAnImageType(
            f"a photo is asked for, not {content_type[:_MAX_NAME] or 'a body of no type'!r}: "
            f"{how_to_send('file')}, or {_AS_BODY}"
        )
    if upload.too_large is not None:
        raise upload.too_large
    return upload


async def read_photo_form(
    request: Request, until: float, texts: Collection[str]
) -> tuple[Upload, dict[str, str]]:
    """A form of a page: its photo, the field `file`, and its fields of text of these names.

    Raises:
        As `read_photo`.
    """
    if _content_type(request) != "multipart/form-data":
        raise NotAnImageType("the form must be sent as multipart/form-data")
    (upload,), fields = await _read_multipart(request, "file", until, max_files=1, texts=texts)
    if upload.too_large is not None:
        raise upload.too_large
    return upload, fields


async def read_photos(request: Request, until: float) -> list[Upload]:
    """Several photos: the multipart field `files`, repeated. One that is too large does not cost
    the others.

    Raises:
        BodyTooLarge, BodyTimeout, BodyTooLate, TooManyUploads, NotAnImageType, BadUpload.
    """
    if _content_type(request) != "multipart/form-data":
        raise NotAnImageType(
            "send the photos as multipart/form-data in the field 'files', repeated "
            "(curl -F files=@1.jpg -F files=@2.jpg)"
        )
    max_files = services(request).settings.max_batch
    uploads, _ = await _read_multipart(request, "files", until, max_files=max_files)
    return uploads


def ms_since_start(request: Request) -> float:
    """Milliseconds since the request came in."""
    begun: float = request.state.started
    return (time.perf_counter() - begun) * 1000


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@asynccontextmanager
async def _receive(
    request: Request, limit: int, until: float
) -> AsyncIterator[tuple[AsyncGenerator[bytes, None], Callable[[int], None]]]:
    """The body's chunks, and what to tell how many bytes of it are kept."""
    _refuse_encoded(request)
    parts = services(request)
    with parts.bodies.body(parts.settings.max_upload_bytes) as take:
        seconds = parts.settings.body_timeout_s
        async with aclosing(chunks(request, limit, seconds, until)) as stream:
            yield stream, take


def _refuse_encoded(request: Request) -> None:
    """Photos are compressed already; to unpack a body would need limits of its own."""
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise EncodedBody(
            f"the body is encoded (Content-Encoding: {coding[:_MAX_NAME]}): send it uncompressed"
        )


async def _read_multipart(
    request: Request, field: str, until: float, *, max_files: int, texts: Collection[str] = ()
) -> tuple[list[Upload], dict[str, str]]:
    max_bytes = services(request).settings.max_bytes
    limit = max_files * (max_bytes + _MULTIPART_SLACK)
    async with _receive(request, limit, until) as (stream, take):
        form = FormFiles(
            request.headers["content-type"],
            field,
            max_files=max_files,
            max_bytes=max_bytes,
            take=take,
            texts=texts,
        )
        async for chunk in stream:
            form.write(chunk)
        received_ms = ms_since_start(request)
        uploads = [_of_form(file, max_bytes, received_ms) for file in form.end()]
        return uploads, form.texts


def _of_form(file: FormFile, max_bytes: int, received_ms: float) -> Upload:
    name = file.filename[:_MAX_NAME]
    if file.size > max_bytes:
        too_large = BodyTooLarge(f"the photo has more than {max_bytes:,} bytes")
        return Upload(name, b"", received_ms, too_large)
    return Upload(name, file.body.getvalue(), received_ms)  # the same bytes, not a copy
