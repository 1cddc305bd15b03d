"""/verdicts: what was answered, and what people said of it."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from ...records import reading
from ...records.errors import InvalidCursor, RecordRefused, RecordsUnavailable, UnknownVerdict
from ...records.filters import Filter
from ...records.opening import Records
from ..deleting import deleted
from ..filters import FilterDep, Name
from ..problems import responses
from ..record_schemas import DeletedInfo, Moment, VerdictId, VerdictInfo, VerdictPage
from ..security import require_admin
from ..services import ServicesDep
from ..stored import stored

router = APIRouter(prefix="/verdicts", tags=["records"])


@router.get(
    "",
    summary="Recorded verdicts",
    responses=responses(InvalidCursor, RecordRefused, RecordsUnavailable),
)
async def list_verdicts(
    parts: ServicesDep,
    asked: FilterDep,
    size: Annotated[int, Query(ge=1, le=reading.MAX_PAGE)] = 50,
    cursor: Annotated[
        str | None, Query(max_length=100, description="`next` of the page before")
    ] = None,
) -> VerdictPage:
    """A page, newest first; from page to page none is left out and none comes twice."""
    page = await parts.records.ask(partial(_page, asked=asked, cursor=cursor, size=size))
    return VerdictPage(items=[VerdictInfo.of(one) for one in page.verdicts], next=page.next)


def _page(records: Records, asked: Filter, cursor: str | None, size: int) -> reading.Page:
    return reading.page(records, asked, cursor, size)


@router.get(
    "/{id}",
    summary="A recorded verdict",
    responses=responses(UnknownVerdict, RecordsUnavailable),
)
async def get_verdict(parts: ServicesDep, id: VerdictId) -> VerdictInfo:  # noqa: A002
    """What was answered, by what, for whom, and its latest review."""
    return VerdictInfo.of(await stored(parts, id))


@router.delete(
    "",
    summary="Delete verdicts",
    dependencies=[Depends(require_admin)],
    responses=responses(RecordRefused, RecordsUnavailable),
)
async def delete_verdicts(
    parts: ServicesDep,
    since: Annotated[Moment, Query(description="with its zone; inclusive")],
    until: Annotated[Moment, Query(description="with its zone; exclusive")],
    category: Name = None,
) -> DeletedInfo:
    """Delete the verdicts of a time span with their reviews, thumbnails and photos, for good. A
    photo that another verdict is about stays.

    Of several workers, one that has answered within the last second may write that verdict after
    this: delete a span that reaches to now once more, a moment later."""
    return DeletedInfo(**asdict(await deleted(parts, since, until, category)))
