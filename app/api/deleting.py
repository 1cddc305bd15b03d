"""Delete the verdicts of a time span, those that are just being written included."""

from __future__ import annotations

from datetime import datetime

from fastapi.exceptions import RequestValidationError

from ..records.deleting import Deleted, delete_span
from ..records.opening import Records
from .services import Services

_BEFORE_DELETING_S = 10.0


async def deleted(
    parts: Services, since: datetime, until: datetime, category: str | None
) -> Deleted:
    """Delete them, with their reviews, thumbnails and photos, for good.

    Args:
        since: inclusive. until: exclusive.

    Raises:
        RequestValidationError: an empty span. RecordsUnavailable.
    """
    if since >= until:
        fault = {"type": "empty_span", "loc": ("query", "until"), "msg": "must be after since"}
        raise RequestValidationError([fault])

    def delete(records: Records) -> Deleted:
        parts.records.flush(_BEFORE_DELETING_S)  # else they would be written behind our back
        return delete_span(records, since, until, category, stops=parts.records.ends)

    return await parts.records.ask(delete, "long")
