"""What routes ask for: the application's parts, the uploaded photos."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ...access.key_store import KeyStore
from ...access.rate_limit import RateLimiter
from ...service.drain import Drain
from ...service.evaluations import Evaluations
from ...service.registry import Registry
from ...service.reloads import Reloads
from ...service.workers import Workers
from ...settings import Settings
from ..middleware.telemetry import Telemetry
from ..problems import BadUpload, BodyTooLarge, NotAnImageType
from .receiving import BodyMemory, chunks

# Multipart's own lines around each file; generous, since only the photos may be large.
_MULTIPART_SLACK = 64 << 10
# Nothing but the photos is asked for; some forms send a few fields beside them.
_MAX_FIELDS = 8
_MAX_NAME = 255


@dataclass(frozen=True)
class Services:
    """The application's parts."""

    settings: Settings
    reloads: Reloads
    workers: Workers
    evaluations: Evaluations
    telemetry: Telemetry
    keys: KeyStore
    limiter: RateLimiter
    drain: Drain
    device: str
    bodies: BodyMemory = field(default_factory=BodyMemory)

    @property
    def registry(self) -> Registry:
        """What serves now. Ask once a request: a reload swaps it."""
        return self.reloads.registry


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file: its name as sent (for the answer only) and its bytes."""

    filename: str | None
    data: bytes


def services(request: Request) -> Services:
    """The parts made at start-up."""
    made: Services = request.app.state.services
    return made


async def _services(request: Request) -> Services:
    # FastAPI runs a plain function on a thread; a coroutine costs a request no such hop.
    return services(request)


ServicesDep = Annotated[Services, Depends(_services)]


async def read_photo(request: Request, max_bytes: int, until: float) -> Upload:
    """One photo: the multipart field `file`, or the body itself with an `image/*` content type.

    Raises:
        BodyTooLarge, BodyTimeout, BodyTooLate, TooManyUploads, NotAnImageType, BadUpload.
    """
    content_type = _content_type(request)
    if content_type.startswith("image/"):
        body = io.BytesIO()  # not a list of chunks, which may be of one byte each
        async with _receive(request, max_bytes, until) as stream:
            async for chunk in stream:
                body.write(chunk)
        return Upload(None, body.getvalue())
    if content_type != "multipart/form-data":
        raise NotAnImageType(
            "send the photo as multipart/form-data in the field 'file', or as the body with an "
            "image/* content type"
        )
    limit = max_bytes + _MULTIPART_SLACK
    uploads = await _read_multipart(request, "file", limit, until, max_files=1)
    return _within(uploads[0], max_bytes)


async def read_photos(
    request: Request, max_bytes: int, max_files: int, until: float
) -> list[Upload]:
    """Several photos: the multipart field `files`, repeated.

    Raises:
        BodyTooLarge, BodyTimeout, BodyTooLate, TooManyUploads, NotAnImageType, BadUpload.
    """
    if _content_type(request) != "multipart/form-data":
        raise NotAnImageType("send the photos as multipart/form-data in the field 'files'")
    limit = max_files * (max_bytes + _MULTIPART_SLACK)
    return await _read_multipart(request, "files", limit, until, max_files=max_files)


def _within(upload: Upload, max_bytes: int) -> Upload:
    if len(upload.data) > max_bytes:
        raise BodyTooLarge(f"the photo has more than {max_bytes:,} bytes")
    return upload


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
    request: Request, form_field: str, limit: int, until: float, *, max_files: int
) -> list[Upload]:
    async with _receive(request, limit, until) as stream:
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
            return [Upload(_name(file.filename), await file.read()) for file in files]
        finally:
            await form.close()


def _name(name: str | None) -> str | None:
    """The name as it may stand in an answer: in an odd encoding it may hold half a character."""
    return name and name[:_MAX_NAME].encode("utf-8", "replace").decode()
