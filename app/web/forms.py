"""A form's fields, read within limits."""

from __future__ import annotations

import io
import math
from urllib.parse import parse_qsl

from fastapi import Request

from ..api.intake.receiving import chunks
from ..api.services import services
from .viewers import BadForm

# Forms of ours hold a key, a note, a few numbers.
MAX_BYTES = 64 << 10
_MAX_FIELDS = 100


async def read_form(request: Request) -> dict[str, str]:
    """The fields of an urlencoded form; of several of one name the last counts.

    Raises:
        BodyTooLarge, BodyTimeout, BadUpload.
        BadForm: it is no such form.
    """
    parts, body = services(request), io.BytesIO()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise BadForm("the form must be sent as application/x-www-form-urlencoded")
    async for chunk in chunks(request, MAX_BYTES, parts.settings.body_timeout_s, math.inf):
        body.write(chunk)
    try:
        text = body.getvalue().decode("ascii")
        return dict(parse_qsl(text, True, errors="strict", max_num_fields=_MAX_FIELDS))
    except ValueError as exc:
        raise BadForm("the form cannot be read") from exc
