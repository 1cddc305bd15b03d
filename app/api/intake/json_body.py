"""A request's body as JSON, of which there is little: read within limits, then by a model."""

from __future__ import annotations

import io
import math
from typing import TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from ..services import services
from .receiving import chunks

# The longest note and all boxes, each letter written as an escape, twice over.
MAX_BYTES = 256 << 10

Model = TypeVar("Model", bound=BaseModel)


async def read_json(request: Request, model: type[Model]) -> Model:
    """The body.

    Raises:
        BodyTooLarge, BodyTimeout, BadUpload, TooManyUploads.
        RequestValidationError: no JSON, or not of that model.
    """
    parts, body = services(request), io.BytesIO()
    with parts.bodies.body(parts.settings.max_upload_bytes) as take:
        seconds = parts.settings.body_timeout_s
        async for chunk in chunks(request, MAX_BYTES, seconds, math.inf):
            take(len(chunk))
            body.write(chunk)
        try:
            return model.model_validate_json(body.getvalue())
        except ValidationError as exc:
            found = exc.errors(include_url=False, include_context=False, include_input=False)
            faults = [fault | {"loc": ("body", *fault["loc"])} for fault in found]
            raise RequestValidationError(faults) from exc
