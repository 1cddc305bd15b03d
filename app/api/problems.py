"""Every error as `application/problem+json` (RFC 9457): one table from causes to statuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from ..core import errors
from ..records import errors as of_records
from . import faults

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """A problem detail (RFC 9457)."""

    type: str = Field(
        description="stable name of the cause", examples=["urn:goodsguard:not-an-image"]
    )
    title: str
    status: int
    detail: str
    request_id: str = Field(description="also in the X-Request-ID header and in the log")


class RequestError(Exception):
    """Base of the faults of a request, as opposed to those of a photo or a bank."""


class BodyTooLarge(RequestError):
    """More bytes than the limit, announced or read."""


class BodyTimeout(RequestError):
    """The body did not arrive in time."""


class BodyTooLate(errors.DeadlineExceeded):
    """The request's time was over before its body had arrived."""


class TooManyUploads(errors.Overloaded):
    """The bodies that are being received would take more memory than they may together."""


class NotAnImageType(RequestError):
    """A content type that is neither multipart nor an image's."""


class EncodedBody(NotAnImageType):
    """A body that is compressed (Content-Encoding)."""


class BadUpload(RequestError):
    """Multipart that cannot be read, or without the field asked for."""


class Unauthorised(RequestError):
    """No API key, or one that is not known or has expired."""


class Forbidden(RequestError):
    """The API key lacks the scope, or the caller may not ask at all."""


class RateLimited(RequestError):
    """More requests than the caller may send in a minute."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PhotoNotKept(RequestError):
    """The photo, or its thumbnail, is not kept, or not any more."""


class NoOverlay(RequestError):
    """The overlay of a recorded verdict cannot be drawn again."""


@dataclass(frozen=True)
class Cause:
    """A row of the table."""

    status: int
    slug: str
    title: str

    @property
    def type(self) -> str:
        return f"urn:goodsguard:{self.slug}"


# Looked up along an exception's MRO: a subclass without a row of its own takes its base's.
CAUSES: Mapping[type[Exception], Cause] = {
    errors.UnknownCategory: Cause(404, "unknown-category", "Unknown category"),
    errors.CategoryUnavailable: Cause(503, "category-unavailable", "Category unavailable"),
    errors.UnknownCamera: Cause(422, "unknown-camera", "Unknown camera"),
    errors.CameraUnavailable: Cause(503, "camera-unavailable", "Camera unavailable"),
    errors.NotAnImage: Cause(422, "not-an-image", "Not an image"),
    errors.UnsupportedImage: Cause(422, "unsupported-image", "Unsupported kind of image"),
    errors.CorruptImage: Cause(422, "corrupt-image", "Broken or truncated image"),
    errors.TooManyPixels: Cause(422, "too-many-pixels", "Too many pixels"),
    errors.NonFiniteScore: Cause(422, "no-finite-score", "The photo has no finite score"),
    errors.NoTestSplit: Cause(409, "no-test-split", "No test split stored"),
    errors.NoSuchVersion: Cause(409, "no-such-version", "No such bank version"),
    errors.NotWritable: Cause(409, "not-writable", "The banks cannot be changed"),
    errors.ArtifactError: Cause(409, "bank-unusable", "The bank cannot serve"),
    errors.OutOfMemory: Cause(503, "out-of-memory", "Out of memory"),
    errors.NetworkFailed: Cause(503, "network-failed", "The network failed"),
    errors.DeadlineExceeded: Cause(504, "deadline-exceeded", "The time was over"),
    errors.Overloaded: Cause(429, "overloaded", "Too many photos at once"),
    of_records.UnknownVerdict: Cause(404, "unknown-verdict", "Unknown verdict"),
    of_records.ReviewConflict: Cause(409, "review-conflict", "Another review has that id"),
    of_records.InvalidReview: Cause(422, "invalid-review", "Invalid review"),
    of_records.InvalidCursor: Cause(422, "invalid-cursor", "Not a cursor"),
    of_records.RecordRefused: Cause(422, "record-refused", "The records do not take this"),
    of_records.ExtraMissing: Cause(501, "extra-missing", "A package is not installed"),
    of_records.RecordsUnavailable: Cause(503, "records-unavailable", "No records"),
    PhotoNotKept: Cause(404, "photo-not-kept", "Photo not kept"),
    NoOverlay: Cause(409, "no-overlay", "The overlay cannot be drawn"),
    BodyTooLarge: Cause(413, "body-too-large", "Body too large"),
    BodyTimeout: Cause(408, "body-timeout", "Body too slow"),
    NotAnImageType: Cause(415, "unsupported-media-type", "Unsupported media type"),
    BadUpload: Cause(422, "bad-upload", "Unreadable upload"),
    Unauthorised: Cause(401, "unauthorised", "Missing or wrong API key"),
    Forbidden: Cause(403, "forbidden", "Not allowed"),
    RateLimited: Cause(429, "rate-limited", "Too many requests"),
    RequestValidationError: Cause(422, "invalid-request", "Invalid request"),
    Exception: Cause(500, "internal", "Internal error"),
}

# What every route that asks for a key may answer.
_ACCESS = (Unauthorised, Forbidden, RateLimited)

# The bases whose rows FastAPI must route here; `Exception` is caught by our middleware instead,
# so that the answer carries the request id and nothing else.
_HANDLED = (errors.GoodsGuardError, RequestError, RequestValidationError)


def cause_of(exception: type[Exception]) -> Cause:
    """The table's row for an exception's type."""
    return next(CAUSES[base] for base in exception.__mro__ if base in CAUSES)


def problem(exc: Exception, request_id: str) -> Problem:
    """The problem detail of an exception; unforeseen ones show nothing of themselves."""
    cause = cause_of(type(exc))
    detail = str(exc)
    if cause.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        detail = f"something unforeseen happened; the log has it under request {request_id}"
    elif isinstance(exc, RequestValidationError):
        detail = faults.told(exc)
    elif isinstance(exc, of_records.RecordsError):
        detail = exc.public
    return Problem(
        type=cause.type,
        title=cause.title,
        status=cause.status,
        detail=detail,
        request_id=request_id,
    )


def problem_response(body: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Render a problem with its status and media type."""
    return Response(body.model_dump_json(), body.status, headers, media_type=MEDIA_TYPE)


def unforeseen(exc: Exception, request_id: str) -> Response:
    """The 500 for what nobody foresaw."""
    return problem_response(problem(exc, request_id))


def install(app: FastAPI) -> None:
    """Register the handlers."""
    for base in _HANDLED:
        app.add_exception_handler(base, _answer)
    app.add_exception_handler(StarletteHTTPException, _answer_http)


def refusal(exc: Exception, state: MutableMapping[str, Any]) -> Response:
    """The answer to an error; its name is left in the request's state, for log and metrics."""
    headers: dict[str, str] = {}
    if isinstance(exc, errors.Overloaded | RateLimited):
        headers["Retry-After"] = str(exc.retry_after)
    if isinstance(exc, Unauthorised):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(exc, EncodedBody):
        headers["Accept-Encoding"] = "identity"  # RFC 9110, 15.5.16
    if isinstance(exc, BodyTooLarge | BodyTimeout | BodyTooLate | TooManyUploads):
        headers["Connection"] = "close"  # the rest of the body is not wanted
    state["problem"] = cause_of(type(exc)).slug
    return problem_response(problem(exc, state["request_id"]), headers)


async def _answer(request: Request, exc: Exception) -> Response:
    return refusal(exc, request.scope["state"])


async def _answer_http(request: Request, exc: Exception) -> Response:
    """Starlette's own 404 and 405, in our form."""
    assert isinstance(exc, StarletteHTTPException)
    phrase = HTTPStatus(exc.status_code).phrase
    slug = phrase.lower().replace(" ", "-")
    request.state.problem = slug
    # On a thread: the first time, the document is made for it.
    headers = await asyncio.to_thread(_allowed, request) or exc.headers
    detail = str(exc.detail)
    if exc.status_code == HTTPStatus.NOT_FOUND:
        detail = faults.no_such_path(request)
    elif exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED and headers:
        detail = faults.no_such_method(request.method, headers["Allow"])
    body = Problem(
        type=f"urn:goodsguard:{slug}",
        title=phrase,
        status=exc.status_code,
        detail=detail,
        request_id=request.state.request_id,
    )
    return problem_response(body, headers)


def _allowed(request: Request) -> dict[str, str] | None:
    """`Allow` with every method of the path: Starlette names those of the first route alone."""
    path = getattr(request.scope.get("route"), "path", None)
    methods = {method.upper() for method in request.app.openapi()["paths"].get(path, ())}
    if "GET" in methods:
        methods.add("HEAD")
    return {"Allow": ", ".join(sorted(methods))} if methods else None


def responses(*exceptions: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for a route's error statuses, with an example per cause."""
    table: dict[int | str, dict[str, Any]] = {}
    if BodyTooLarge in exceptions:  # a body that may be too long may be too slow as well
        exceptions += (BodyTimeout,)
    for exception in (*exceptions, *_ACCESS, RequestValidationError, Exception):
        cause = cause_of(exception)
        entry = table.setdefault(
            cause.status,
            {
                "description": HTTPStatus(cause.status).phrase,
                "content": {
                    MEDIA_TYPE: {
                        "schema": {"$ref": "#/components/schemas/Problem"},
                        "examples": {},
                    }
                },
            },
        )
        example = Problem(
            type=cause.type,
            title=cause.title,
            status=cause.status,
            detail=" ".join((exception.__doc__ or cause.title).split("\n")[0].split()),
            request_id="4f9c2d51c0a84a6e",
        )
        examples = entry["content"][MEDIA_TYPE]["examples"]
        examples[cause.slug] = {"value": json.loads(example.model_dump_json())}
    if 429 in table:
        table[429]["headers"] = {
            "Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}
        }
    return table
